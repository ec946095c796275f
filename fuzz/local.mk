# Fuzz targets. `make check` runs each over its corpus; README.md says how to fuzz.
FUZZ_RUNNERS = fuzz/run-message fuzz/run-batch fuzz/run-channel fuzz/run-worker fuzz/run-session fuzz/run-pipeline fuzz/run-trace
check_PROGRAMS += $(FUZZ_RUNNERS)
TESTS += $(FUZZ_RUNNERS)
fuzz_cppflags = $(AM_CPPFLAGS) $(JSON_C_CFLAGS) $(FYAML_CFLAGS)
fuzz_run_message_SOURCES = fuzz/fuzz-message.c fuzz/run-corpus.c fuzz/fuzz.h
fuzz_run_message_CPPFLAGS = $(fuzz_cppflags)
fuzz_run_message_LDADD = libosiris-core.la
fuzz_run_channel_SOURCES = fuzz/fuzz-channel.c fuzz/run-corpus.c fuzz/fuzz.h
fuzz_run_channel_CPPFLAGS = $(fuzz_cppflags)
fuzz_run_channel_LDADD = libosiris-core.la
fuzz_run_batch_SOURCES = fuzz/fuzz-batch.c fuzz/run-corpus.c fuzz/fuzz.h tests/arrow-digest.c tests/arrow-digest.h
fuzz_run_batch_CPPFLAGS = $(fuzz_cppflags) -I$(top_srcdir)/tests
fuzz_run_batch_LDADD = libosiris-core.la
# The worker with its loop, but without what it does to its process and to folders.
fuzz_run_worker_SOURCES = fuzz/fuzz-worker.c fuzz/feed.c fuzz/feed.h fuzz/run-corpus.c fuzz/fuzz.h tests/arrow-digest.c tests/arrow-digest.h \
	worker/answer.c worker/attempt.c worker/batch.c worker/calls.c worker/cancel.c \
	worker/columns.c worker/decide.c worker/describe.c worker/door.c worker/edges.c worker/fields.c \
	worker/files.c worker/folders.c worker/home.c worker/home-artifacts.c worker/home-messages.c worker/home-pump.c worker/home-state.c worker/host.c worker/hosting.c worker/input-streams.c worker/inquire.c \
	worker/interrupt.c worker/link-input.c worker/link-output.c worker/loop.c worker/methods.c worker/name-service.c \
	worker/output-stream.c worker/prepare.c worker/queue.c \
	worker/relay/callers.c worker/relay/commands.c worker/relay/folder.c worker/relay/keeper.c worker/relay/log-store.c \
	worker/relay/pump.c worker/relay/relay.c worker/relay/start.c worker/reports.c worker/requests.c \
	worker/run-plan.c worker/run.c worker/signs.c worker/stand-in.c worker/start.c worker/step-messages.c worker/step-plan.c \
	worker/step.c worker/stream-messages.c worker/validate.c worker/verbs.c
fuzz_run_worker_CPPFLAGS = $(fuzz_cppflags) -I$(top_srcdir)/tests
# A thread that ends in the middle gives back what it has.
fuzz_run_worker_CFLAGS = $(AM_CFLAGS) -fexceptions
fuzz_run_worker_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=channel_new -Wl,--wrap=remove_tree -Wl,--wrap=rmdir -Wl,--wrap=setenv -Wl,--wrap=make_directories
fuzz_run_worker_LDADD = libosiris-core.la
# The session with its loop, but without its places and records.
fuzz_run_session_SOURCES = fuzz/fuzz-session.c fuzz/feed.c fuzz/feed.h fuzz/run-corpus.c fuzz/fuzz.h
fuzz_run_session_CPPFLAGS = $(fuzz_cppflags)
fuzz_run_session_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=adapter_host_open,--wrap=adapter_host_prepare,--wrap=adapter_host_execute \
	-Wl,--wrap=adapter_host_can_reconnect,--wrap=adapter_host_worker_exit,--wrap=adapter_host_terminate \
	-Wl,--wrap=adapter_host_collect,--wrap=adapter_host_close,--wrap=rundir_path \
	-Wl,--wrap=rundir_artifacts_path,--wrap=rundir_temp_path,--wrap=rundir_shown,--wrap=rundir_event,--wrap=rundir_metric \
	-Wl,--wrap=rundir_log,--wrap=rundir_note,--wrap=rundir_flush,--wrap=atomic_file_write \
	-Wl,--wrap=make_directories,--wrap=remove_tree \
	$(NULL)
fuzz_run_session_LDADD = libosiris-orchestrator.la
fuzz_run_pipeline_SOURCES = fuzz/fuzz-pipeline.c fuzz/run-corpus.c fuzz/fuzz.h
fuzz_run_pipeline_CPPFLAGS = $(fuzz_cppflags)
fuzz_run_pipeline_LDADD = libosiris-orchestrator.la
fuzz_run_trace_SOURCES = fuzz/fuzz-trace.c fuzz/run-corpus.c fuzz/fuzz.h
fuzz_run_trace_CPPFLAGS = $(fuzz_cppflags)
fuzz_run_trace_LDADD = libosiris-orchestrator.la
EXTRA_DIST += fuzz/README.md
EXTRA_DIST += \
	fuzz/corpus/batch/a-batch-in-parts \
	fuzz/corpus/batch/a-batch-inside-another \
	fuzz/corpus/batch/a-batch-of-integers-and-texts \
	fuzz/corpus/batch/a-batch-that-lacks-its-body \
	fuzz/corpus/batch/a-batch-without-rows \
	fuzz/corpus/batch/a-buffer-at-a-negative-place \
	fuzz/corpus/batch/a-buffer-at-no-multiple-of-64 \
	fuzz/corpus/batch/a-buffer-outside-of-the-body \
	fuzz/corpus/batch/a-buffer-that-is-too-short \
	fuzz/corpus/batch/a-buffer-too-few \
	fuzz/corpus/batch/a-buffer-too-many \
	fuzz/corpus/batch/a-claim-that-lz4-cannot-have-made \
	fuzz/corpus/batch/a-codec-that-was-not-agreed \
	fuzz/corpus/batch/a-codec-that-was-not-worth-it \
	fuzz/corpus/batch/a-column-that-is-shorter-than-the-batch \
	fuzz/corpus/batch/a-dictionary \
	fuzz/corpus/batch/a-dictionary-of-texts \
	fuzz/corpus/batch/a-format-that-is-none \
	fuzz/corpus/batch/a-length-beyond-all \
	fuzz/corpus/batch/a-length-when-decompressed-that-is-another \
	fuzz/corpus/batch/a-list-beyond-its-elements \
	fuzz/corpus/batch/a-list-without-an-element \
	fuzz/corpus/batch/a-map \
	fuzz/corpus/batch/a-negative-index \
	fuzz/corpus/batch/a-negative-length \
	fuzz/corpus/batch/a-node-too-few \
	fuzz/corpus/batch/a-node-too-many \
	fuzz/corpus/batch/a-part-without-a-batch \
	fuzz/corpus/batch/a-slice-bits-of-bitmaps-to-skip-elements-before-the-first \
	fuzz/corpus/batch/a-slice-of-texts-what-lies-before-did-not-travel \
	fuzz/corpus/batch/a-top-that-is-no-struct \
	fuzz/corpus/batch/an-index-beyond-its-dictionary \
	fuzz/corpus/batch/an-integer-with-a-child \
	fuzz/corpus/batch/an-offset-of-eight \
	fuzz/corpus/batch/an-offset-of-the-top \
	fuzz/corpus/batch/an-offset-that-is-missing \
	fuzz/corpus/batch/buffers-that-overlap \
	fuzz/corpus/batch/compressed-bytes-that-are-none \
	fuzz/corpus/batch/compressed-with-lz4 \
	fuzz/corpus/batch/compressed-with-zstd \
	fuzz/corpus/batch/fixed-sizes \
	fuzz/corpus/batch/large-offsets \
	fuzz/corpus/batch/lists-structs-and-nothing \
	fuzz/corpus/batch/metadata \
	fuzz/corpus/batch/metadata-that-are-longer-than-they-are \
	fuzz/corpus/batch/metadata-that-are-not-hexadecimal \
	fuzz/corpus/batch/more-nulls-than-values \
	fuzz/corpus/batch/no-body-where-one-is-needed \
	fuzz/corpus/batch/no-format \
	fuzz/corpus/batch/nulls-counted-and-not \
	fuzz/corpus/batch/nulls-that-are-nowhere \
	fuzz/corpus/batch/numbers-that-are-texts \
	fuzz/corpus/batch/offsets-below-zero \
	fuzz/corpus/batch/offsets-beyond-the-data \
	fuzz/corpus/batch/offsets-that-go-down \
	fuzz/corpus/batch/rows-without-columns \
	fuzz/corpus/batch/the-end-inside-a-batch \
	fuzz/corpus/batch/the-parts-do-not-make-up-the-body \
	fuzz/corpus/batch/two-batches \
	fuzz/corpus/batch/two-schemas \
	fuzz/corpus/batch/types-nested-13-deep \
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
	fuzz/corpus/pipeline/wrong-everywhere.yaml \
	fuzz/corpus/session/a-body-for-an-event \
	fuzz/corpus/session/a-run \
	fuzz/corpus/session/a-step-fails \
	fuzz/corpus/session/abort-fails \
	fuzz/corpus/session/an-answer-with-nothing-in-it \
	fuzz/corpus/session/an-error \
	fuzz/corpus/session/another-protocol \
	fuzz/corpus/session/answer-to-nobody \
	fuzz/corpus/session/answer-twice \
	fuzz/corpus/session/batch-that-is-too-long \
	fuzz/corpus/session/commit-fails \
	fuzz/corpus/session/credit-that-is-none \
	fuzz/corpus/session/credits-beyond-all \
	fuzz/corpus/session/greeting-only \
	fuzz/corpus/session/nothing \
	fuzz/corpus/session/one-worker-is-silent \
	fuzz/corpus/session/prepare-fails \
	fuzz/corpus/session/publish-fails \
	fuzz/corpus/session/raw \
	fuzz/corpus/session/records \
	fuzz/corpus/session/records-that-are-not-the-workers \
	fuzz/corpus/session/stream-behind-its-end \
	fuzz/corpus/session/stream-closed \
	fuzz/corpus/session/stream-closed-by-a-step-that-has-run \
	fuzz/corpus/session/stream-end-inside \
	fuzz/corpus/session/stream-in-parts \
	fuzz/corpus/session/stream-more-than-said \
	fuzz/corpus/session/stream-not-there \
	fuzz/corpus/session/stream-of-another \
	fuzz/corpus/session/stream-of-two-schemas \
	fuzz/corpus/session/stream-read-by-another \
	fuzz/corpus/session/stream-without-credit \
	fuzz/corpus/session/wrong-results \
	fuzz/corpus/session/wrong-types \
	fuzz/corpus/worker/a-body-for-a-request \
	fuzz/corpus/worker/a-run \
	fuzz/corpus/worker/a-stream-again \
	fuzz/corpus/worker/a-stream-that-is-not-there \
	fuzz/corpus/worker/an-id-again \
	fuzz/corpus/worker/an-id-that-is-a-number \
	fuzz/corpus/worker/another-protocol \
	fuzz/corpus/worker/before-hello \
	fuzz/corpus/worker/cancel \
	fuzz/corpus/worker/diamond \
	fuzz/corpus/worker/fails-and-again \
	fuzz/corpus/worker/greeting \
	fuzz/corpus/worker/heartbeat-for-ever \
	fuzz/corpus/worker/heartbeats \
	fuzz/corpus/worker/in-a-buffer-outside \
	fuzz/corpus/worker/in-end-inside \
	fuzz/corpus/worker/in-from-another-place \
	fuzz/corpus/worker/in-in-parts \
	fuzz/corpus/worker/in-more-than-said \
	fuzz/corpus/worker/in-of-many-arrays-without-a-byte \
	fuzz/corpus/worker/in-of-many-types \
	fuzz/corpus/worker/in-with-endless-credit \
	fuzz/corpus/worker/in-without-credit \
	fuzz/corpus/worker/in-without-schema \
	fuzz/corpus/worker/malformed-plans \
	fuzz/corpus/worker/out-to-another-place \
	fuzz/corpus/worker/prepare-after-cleanup \
	fuzz/corpus/worker/publish-before-commit \
	fuzz/corpus/worker/raw-nonsense \
	fuzz/corpus/worker/refused-driver \
	fuzz/corpus/worker/two-phases \
	fuzz/corpus/worker/wrong-types \
	fuzz/corpus/trace/binary \
	fuzz/corpus/trace/control-characters \
	fuzz/corpus/trace/cut \
	fuzz/corpus/trace/deep \
	fuzz/corpus/trace/empty \
	fuzz/corpus/trace/huge-numbers \
	fuzz/corpus/trace/long-line \
	fuzz/corpus/trace/masked \
	fuzz/corpus/trace/message-is-a-list \
	fuzz/corpus/trace/message-not-kept \
	fuzz/corpus/trace/negative-time \
	fuzz/corpus/trace/newer \
	fuzz/corpus/trace/not-utf-8 \
	fuzz/corpus/trace/stream \
	fuzz/corpus/trace/too-long-to-go-on \
	fuzz/corpus/trace/two-places \
	fuzz/corpus/trace/whole \
	fuzz/corpus/trace/wrong-header
