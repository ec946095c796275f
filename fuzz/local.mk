# Fuzz targets. `make check` runs each over its corpus; README.md says how to fuzz.
FUZZ_RUNNERS = fuzz/run-message fuzz/run-frame fuzz/run-channel fuzz/run-pipeline
check_PROGRAMS += $(FUZZ_RUNNERS)
TESTS += $(FUZZ_RUNNERS)
fuzz_cppflags = $(AM_CPPFLAGS) $(JSON_C_CFLAGS) $(FYAML_CFLAGS)
fuzz_run_message_SOURCES = fuzz/fuzz-message.c fuzz/run-corpus.c fuzz/fuzz.h
fuzz_run_message_CPPFLAGS = $(fuzz_cppflags)
fuzz_run_message_LDADD = libosiris-core.la
fuzz_run_frame_SOURCES = fuzz/fuzz-frame.c fuzz/run-corpus.c fuzz/fuzz.h
fuzz_run_frame_CPPFLAGS = $(fuzz_cppflags)
fuzz_run_frame_LDADD = libosiris-core.la
fuzz_run_channel_SOURCES = fuzz/fuzz-channel.c fuzz/run-corpus.c fuzz/fuzz.h
fuzz_run_channel_CPPFLAGS = $(fuzz_cppflags)
fuzz_run_channel_LDADD = libosiris-core.la
fuzz_run_pipeline_SOURCES = fuzz/fuzz-pipeline.c fuzz/run-corpus.c fuzz/fuzz.h
fuzz_run_pipeline_CPPFLAGS = $(fuzz_cppflags)
fuzz_run_pipeline_LDADD = libosiris-core.la
EXTRA_DIST += fuzz/README.md
EXTRA_DIST += \
	fuzz/corpus/channel/ack \
	fuzz/corpus/channel/ack-goes-back \
	fuzz/corpus/channel/ack-of-the-unsent \
	fuzz/corpus/channel/ack-without-resumption \
	fuzz/corpus/channel/bodies-out-while-lost \
	fuzz/corpus/channel/body \
	fuzz/corpus/channel/body-cut-by-the-end \
	fuzz/corpus/channel/body-in-pieces \
	fuzz/corpus/channel/body-refused \
	fuzz/corpus/channel/body-too-long \
	fuzz/corpus/channel/body-where-none-may-be \
	fuzz/corpus/channel/byte-by-byte \
	fuzz/corpus/channel/deaf-peer \
	fuzz/corpus/channel/empty-message \
	fuzz/corpus/channel/garbage-on-a-new-link \
	fuzz/corpus/channel/many-are-acknowledged \
	fuzz/corpus/channel/messages \
	fuzz/corpus/channel/no-resume-on-a-new-link \
	fuzz/corpus/channel/out-of-sequence \
	fuzz/corpus/channel/resume-as-orchestrator \
	fuzz/corpus/channel/resume-as-worker \
	fuzz/corpus/channel/resume-at-minus-one \
	fuzz/corpus/channel/resume-at-the-unsent \
	fuzz/corpus/channel/resume-in-a-body \
	fuzz/corpus/channel/resume-twice \
	fuzz/corpus/channel/resume-with-a-wrong-token \
	fuzz/corpus/channel/resume-with-another-session \
	fuzz/corpus/channel/too-long \
	fuzz/corpus/frame/body \
	fuzz/corpus/frame/cut \
	fuzz/corpus/frame/empty \
	fuzz/corpus/frame/one \
	fuzz/corpus/frame/out-of-sequence \
	fuzz/corpus/frame/three \
	fuzz/corpus/frame/too-long \
	fuzz/corpus/message/deep \
	fuzz/corpus/message/duplicate-key \
	fuzz/corpus/message/empty-map \
	fuzz/corpus/message/huge-count \
	fuzz/corpus/message/kinds \
	fuzz/corpus/message/not-a-number \
	fuzz/corpus/message/overlong-text \
	fuzz/corpus/message/request \
	fuzz/corpus/message/unsigned \
	fuzz/corpus/message/wide-lengths \
	fuzz/corpus/pipeline/alias-bomb.yaml \
	fuzz/corpus/pipeline/alias-in-itself.yaml \
	fuzz/corpus/pipeline/aliases-of-aliases.yaml \
	fuzz/corpus/pipeline/aliases.yaml \
	fuzz/corpus/pipeline/block-scalars.yaml \
	fuzz/corpus/pipeline/byte-order-mark.yaml \
	fuzz/corpus/pipeline/control-characters.yaml \
	fuzz/corpus/pipeline/cycle.yaml \
	fuzz/corpus/pipeline/diamond.yaml \
	fuzz/corpus/pipeline/escaped-nul.yaml \
	fuzz/corpus/pipeline/legacy.yaml \
	fuzz/corpus/pipeline/not-utf-8.yaml \
	fuzz/corpus/pipeline/parameters.yaml \
	fuzz/corpus/pipeline/plain.yaml \
	fuzz/corpus/pipeline/secrets.yaml \
	fuzz/corpus/pipeline/two-documents.yaml \
	fuzz/corpus/pipeline/windows.yaml \
	fuzz/corpus/pipeline/wrong-everywhere.yaml
