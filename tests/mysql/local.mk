# The private MariaDB that tests, benches and the quickstart share, and the example that they run.
mysql_tests = \
	tests/mariadb/test_mariadb_private.py \
	tests/mysql/test_mysql_auth.py \
	tests/mysql/test_mysql_differential.py \
	tests/mysql/test_mysql_errors.py \
	tests/mysql/test_mysql_hosts.py \
	tests/mysql/test_mysql_limits.py \
	tests/mysql/test_mysql_memory.py \
	tests/mysql/test_mysql_partitions.py \
	tests/mysql/test_mysql_resume.py \
	tests/mysql/test_mysql_second_library.py \
	tests/mysql/test_mysql_session.py \
	tests/mysql/test_mysql_tls.py \
	tests/mysql/test_mysql_values.py \
	tests/mysql/test_mysql_verbs.py \
	tests/mysql/test_mysql_waits.py \
	tests/mysql/test_mysql_warnings.py \
	tests/mysql/test_real_mysql.py \
	$(NULL)
EXTRA_DIST += \
	examples/orders.yaml \
	examples/osiris_connections.yaml \
	scripts/mariadb-private \
	scripts/second-libmariadb \
	tests/mysql/fake_mysql.py \
	tests/mysql/proxy.py \
	tests/mysql/mysql_server.py \
	tests/mysql/private.py \
	tests/mysql/raw.py \
	tests/mysql/second_library.py \
	$(mysql_tests)
if HAVE_PYTHON3
if HAVE_MYSQL
TESTS += $(mysql_tests)
endif
endif
