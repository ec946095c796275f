/* Plug-ins that must be refused, one a value of BROKEN, built several times from this file. */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "test-plugin.h"

#define NO_SYMBOL 1
#define VERSION 2
#define TRUNCATED 3
#define NULL_TABLES 4
#define UNRESOLVED 5
#define CRASH 6
#define HANG 7
#define EXIT 8
#define SHORT_DRIVER 9
#define NO_VERB 10
#define BAD_SPEC 11
#define TWICE 12
#define PRINTS 13 /* this one is fine but for its noise */
#define BAD_MODE 14
#define BAD_TYPE 15
#define BAD_PATTERN 16
#define BAD_DEFAULT 17
#define BAD_NAME 18
#define NO_NAME 19
#define DETACHES 20 /* this one, too, but for what it leaves */
#define DETACHES_AND_CRASHES 21
#define BAD_OUTPUTS 22
#define NULL_NAME 23
#define NULL_VERSION 24
#define NULL_SPEC 25
#define NULL_OPEN 26
#define NULL_CLOSE 27
#define NO_KIND 28
#define OTHER_KIND 29
#define MOODY 30 /* fine once there is a file "needed"; with a file "slow" it takes its time, with "hangs" all of it, with "ends" it
                  ends the thread */

#define SLOW_SECONDS 4

#if BROKEN == BAD_SPEC
#define SPEC "{not json"
#elif BROKEN == BAD_MODE
#define SPEC "{\"modes\": [\"extract\", \"frob\"]}"
#elif BROKEN == BAD_TYPE
#define SPEC "{\"configSchema\": {\"properties\": {\"port\": {\"type\": \"banana\"}}}}"
#elif BROKEN == BAD_PATTERN
#define SPEC "{\"configSchema\": {\"properties\": {\"list\": {\"items\": {\"pattern\": \"[[:alpha\"}}}}}"
#elif BROKEN == BAD_DEFAULT
#define SPEC "{\"configSchema\": {\"properties\": {\"port\": {\"type\": \"integer\", \"default\": \"x\"}}}}"
#elif BROKEN == BAD_OUTPUTS
#define SPEC "{\"x-output-files\": [{\"name\": \"path\"}, {\"name\": \"log\", \"varied_by\": [\"parts\", 1]}]}"
#else
#define SPEC "{\"modes\": [\"extract\"]}"
#endif
#define NAME                                                                                       \
    (BROKEN == PRINTS     ? "test.prints"                                                          \
     : BROKEN == DETACHES ? "test.detaches"                                                        \
     : BROKEN == MOODY    ? "test.moody"                                                           \
     : BROKEN == BAD_NAME ? "test.bro\033[31mken"                                                  \
     : BROKEN == NO_NAME  ? ""                                                                     \
     : BROKEN == NULL_NAME ? NULL                                                                  \
                          : "test.broken")

static int no_open(const struct osiris_host *host, void **state)
{
    *state = NULL;
    return test_fail(host, OSIRIS_ERROR_INTERNAL, "never to be called");
}

static int no_run(void *state, const struct osiris_input *inputs, size_t input_count,
                  struct ArrowArrayStream *output)
{
    (void)state;
    (void)inputs;
    (void)input_count;
    (void)output;
    return -1;
}

static void no_close(void *state)
{
    (void)state;
}

static const struct osiris_driver driver = {
    .struct_size = BROKEN == SHORT_DRIVER ? 16 : sizeof(struct osiris_driver),
    .kind = BROKEN == NO_KIND ? 0 : BROKEN == OTHER_KIND ? OSIRIS_WRITER : OSIRIS_EXTRACTOR,
    .name = NAME,
    .version = BROKEN == NULL_VERSION ? NULL : "1.0.0",
    .spec = BROKEN == NULL_SPEC ? NULL : SPEC,
    .open = BROKEN == NULL_OPEN ? NULL : no_open,
    .run = BROKEN == NO_VERB ? NULL : no_run,
    .close = BROKEN == NULL_CLOSE ? NULL : no_close,
};

static const struct osiris_driver *const drivers[] = {&driver, BROKEN == TWICE ? &driver : NULL,
                                                      NULL};

#if BROKEN == UNRESOLVED
extern int nobody_has_this_symbol(void);
int (*use_it)(void) = nobody_has_this_symbol;
#endif

#if BROKEN == CRASH || BROKEN == HANG || BROKEN == EXIT || BROKEN == PRINTS || BROKEN == DETACHES || \
    BROKEN == DETACHES_AND_CRASHES || BROKEN == MOODY
__attribute__((constructor)) static void on_load(void)
{
#if BROKEN == MOODY
    if (access("needed", F_OK) < 0)
        exit(7);
    if (access("slow", F_OK) == 0)
        sleep(SLOW_SECONDS);
    while (access("hangs", F_OK) == 0)
        pause();
    if (access("ends", F_OK) == 0)
        pthread_exit(NULL);
#elif BROKEN == DETACHES || BROKEN == DETACHES_AND_CRASHES
    (void)test_detach("detached", "sleep");
    if (BROKEN == DETACHES_AND_CRASHES)
        abort();
#elif BROKEN == CRASH
    raise(SIGSEGV);
#elif BROKEN == HANG
    for (;;)
        pause();
#elif BROKEN == EXIT
    exit(0);
#else
    puts("[\"this is not a description\"]");
    fflush(stdout);
#endif
}
#endif

#if BROKEN == NO_SYMBOL
extern OSIRIS_EXPORT const struct osiris_plugin something_else;
const struct osiris_plugin something_else = {
#else
OSIRIS_PLUGIN(broken) = {
#endif
    .abi_version = BROKEN == VERSION ? (OSIRIS_ABI_MAJOR + 1) << 16 : OSIRIS_ABI_VERSION,
    .struct_size = BROKEN == TRUNCATED ? 8 : sizeof(struct osiris_plugin),
    .name = "broken",
    .version = "1.0.0",
    .drivers = BROKEN == NULL_TABLES ? NULL : drivers,
};
