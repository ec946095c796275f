dist_man_MANS += docs/man/osiris.1
dist_doc_DATA += \
	docs/architecture.md \
	docs/adapters.md docs/bundle.md docs/exec.md \
	docs/cli.md \
	docs/connections.md \
	docs/drivers.md \
	docs/mysql-extractor.md \
	docs/pipelines.md \
	docs/protocol.md \
	docs/records.md \
	docs/secrets.md
