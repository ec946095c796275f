dist_man_MANS += docs/man/osiris.1
dist_doc_DATA += \
	docs/adapters.md \
	docs/architecture.md \
	docs/bundle.md \
	docs/cli.md \
	docs/connections.md \
	docs/drivers.md \
	docs/exec.md \
	docs/mysql-extractor.md \
	docs/pipelines.md \
	docs/protocol.md \
	docs/records.md \
	docs/secrets.md
