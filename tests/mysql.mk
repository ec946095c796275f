# The private MariaDB that tests, benches and the quickstart share, and the example that they run.
EXTRA_DIST += \
	examples/orders.yaml \
	examples/osiris_connections.yaml \
	scripts/mariadb-private \
	tests/mariadb/test_mariadb_private.py \
	tests/mysql/test_mysql_waits.py
if HAVE_PYTHON3
if HAVE_MYSQL
TESTS += tests/mariadb/test_mariadb_private.py tests/mysql/test_mysql_waits.py
endif
endif
