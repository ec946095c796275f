# The private MariaDB that tests, benches and the quickstart share, and the example that they run.
EXTRA_DIST += \
	examples/orders.yaml \
	examples/osiris_connections.yaml \
	scripts/mariadb-private \
	tests/mariadb/test_mariadb_private.py
if HAVE_PYTHON3
if HAVE_MYSQL
TESTS += tests/mariadb/test_mariadb_private.py
endif
endif
