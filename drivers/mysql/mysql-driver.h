/* Shared by the files of the mysql driver. */
#ifndef OSIRIS_DRIVERS_MYSQL_H
#define OSIRIS_DRIVERS_MYSQL_H

#include <mysql.h>
#include <osiris/kit.h>
#include <osiris/plugin.h>
#include <pthread.h>
#include <stdbool.h>

/* A batch ends with the row that reaches this many bytes. */
#define MYSQL_BATCH_BYTES (1u << 20)
/* Rows beyond this size get special care of their memory. */
#define MYSQL_LARGE_ROW (1u << 20)
/* Consecutive attempts before a lost connection is given up; also in the spec. */
#define MYSQL_RECONNECT_ATTEMPTS 10
/* The lock timeout of `consistent`; also in the spec. */
#define MYSQL_LOCK_TIMEOUT_S 10

/* The connection's `ssl`. */
struct mysql_tls {
    int mode;      /* see tls.c */
    bool discreet; /* the password itself is never sent */
    const char *ca, *certificate, *key, *cipher;
};

/* Where to connect; texts are borrowed from the host. It must not be moved. */
struct mysql_target {
    const char *host, *database, *user, *password, *socket;
    unsigned port;
    unsigned connect_timeout_s, read_timeout_s;
    struct mysql_tls tls;
    char address[128]; /* the address in the brackets of `host` */
};

/* A connection that another thread may interrupt. */
struct mysql_session {
    const struct osiris_host *host;
    struct mysql_target target;
    MYSQL *mysql;             /* the step thread's; NULL: not connected */
    unsigned long thread_id;  /* the server's id of the connection; 0: not connected yet */
    bool querying;            /* a statement is under way on the server */
    int wake;                 /* eventfd: readable once interrupted */
    pthread_mutex_t lock;     /* guards interrupted and socket */
    bool interrupted;
    int socket; /* a duplicate of the connection's descriptor; -1: none for interrupt to shut down */
};

/* target.c */

/* Reads and checks the connection's fields; -1: reported. */
int mysql_target_init(struct mysql_target *target, const struct osiris_host *host);

/* session.c */

int mysql_session_init(struct mysql_session *session, const struct osiris_host *host);
void mysql_session_clear(struct mysql_session *session);
/* Closes the connection; it may be connected again. */
void mysql_session_disconnect(struct mysql_session *session);
/* Waits; -1: it was interrupted. */
int mysql_session_wait(const struct mysql_session *session, int milliseconds);
bool mysql_session_is_interrupted(struct mysql_session *session);
/* [any thread] Makes a wait in the connection end with an error. */
void mysql_session_interrupt(struct mysql_session *session);
/* Duplicates the descriptor of the connection's socket (-1: none) for interrupts. The library may close its own, and an
 * interrupt must not shut down another one. */
void mysql_session_hold_socket(struct mysql_session *session, int socket);

/* connect.c */

int mysql_session_connect(struct mysql_session *session);
/* Drops a statement in progress and its rows: cuts the connection and stops the server. */
void mysql_session_abandon(struct mysql_session *session);

/* errors.c */

/* Reports an error of the server or the client library; always -1. `doing`: "connect", "run the query", … */
int mysql_session_fail(struct mysql_session *session, const char *doing, unsigned code,
                       const char *state, const char *message);
/* The same for a call with the statement. */
int mysql_session_fail_statement(struct mysql_session *session, const char *doing,
                                 MYSQL_STMT *statement);
/* The same for a statement of init_sql. */
int mysql_session_fail_init_sql(struct mysql_session *session, const char *doing);
/* Reports that connect_timeout has passed; always -1. */
int mysql_session_fail_late(struct mysql_session *session);

/* tls.c */

/* Reads the connection's `ssl`; -1: reported. The target's socket is already known. */
int mysql_tls_init(struct mysql_target *target, const struct osiris_host *host);
/* Checks that its files and a suitable client library exist where the step runs; -1: reported. */
int mysql_tls_check_files(const struct mysql_target *target, const struct osiris_host *host);
/* Configures a new handle. */
void mysql_tls_prepare(const struct mysql_target *target, MYSQL *mysql);
/* Whether the server's greeting decides (`preferred`), so that it must be inspected before the library reads it. */
bool mysql_tls_needs_greeting(const struct mysql_target *target);
/* Inspects the greeting in the connected socket and decides, also for the target's later connections. False: it has not
 * arrived completely. */
bool mysql_tls_inspect_greeting(struct mysql_target *target, MYSQL *mysql, int socket);
/* Checks that the connection is as required; -1: reported. */
int mysql_tls_after_connect(const struct mysql_session *session);

/* certificate.c */

/* How this client library verifies a certificate. */
enum mysql_certificates {
    MYSQL_CERTIFICATES_BY_LIBRARY, /* Connector/C before 3.4: as configured */
    MYSQL_CERTIFICATES_BY_US,      /* 3.4.2 and newer: it calls us, between the handshake and the login */
    MYSQL_CERTIFICATES_UNKNOWN,    /* 3.4.0, 3.4.1: by its own rules */
};

enum mysql_certificates mysql_certificates(void);
/* Whether the library's TLS implementation is known well enough to verify certificates. */
bool mysql_certificates_can_be_verified(void);
/* MYSQL_CERTIFICATES_BY_US: makes a new handle verify that a trusted authority has signed the certificate, and that
 * the certificate belongs to the host. */
void mysql_certificates_set_callback(MYSQL *mysql, bool authority, bool identity);

/* init-sql.c */

/* Runs the connection's `init_sql`; -1: reported. */
int mysql_run_init_sql(struct mysql_session *session);

/* statement.c */

/* What to read of a table, in addition to the config. All zero: all of it. */
struct mysql_part {
    const char *condition;    /* on its rows, in addition to the config's `where`: SQL, or NULL */
    const char *order;        /* SQL that follows ORDER BY, or NULL: the config's `order_by` */
    const char *more_columns; /* SQL that follows the columns of the config, ", `id`", or NULL */
    int64_t taken;            /* rows already read; less than the config's limit */
};

/* Checks that the config says what to read; -1: reported. */
int mysql_check_statement(const struct osiris_host *host);
/* The SQL to run (free it), NULL with the problem reported. `part` applies to tables; a query is run as it is. */
char *mysql_make_statement(const struct osiris_host *host, const struct mysql_part *part);

/* Makes the server parse the config's `where` without our parentheses, because "1) OR (1" would break out of them. -1:
 * reported. */
int mysql_check_where(struct mysql_session *session);

/* lengthen.c */

/* The statement to send (free it), followed by blanks where that makes the server faster; NULL: out of memory. */
char *mysql_lengthen(MYSQL *mysql, const char *sql, size_t *length);

/* columns.c */

struct mysql_columns;

/* Chooses a type for each column of the result; `net` belongs to the connection and its buffer bounds the rows. A batch has
 * at most `batch_rows` rows and ends at `batch_bytes`. NULL with the problem reported. */
struct mysql_columns *mysql_columns_new(const struct osiris_host *host, const NET *net,
                                        const MYSQL_FIELD *fields, unsigned count,
                                        int64_t batch_rows, size_t batch_bytes);
void mysql_columns_free(struct mysql_columns *columns);
struct osiris_builder *mysql_columns_builder(struct mysql_columns *columns);
/* libmariadb's row callback: `row` points to the column's bytes and is moved past them; NULL: NULL. */
void mysql_columns_append(void *columns, unsigned column, unsigned char **row);
/* Bounds what several readers hold in memory: waits until there is room for a batch of this size; false: the read was
 * stopped. */
struct mysql_room {
    bool (*wait)(void *owner, size_t bytes); /* or NULL: no bound */
    void *owner;
};

/* Used while a row of more than MYSQL_LARGE_ROW bytes is appended. */
void mysql_columns_set_room(struct mysql_columns *columns, struct mysql_room room);
/* Returns the memory of a large row in the connection's buffer to the system; call it after each row. */
void mysql_columns_end_row(struct mysql_columns *columns);
/* Moves the batch out and starts the next one. 0, or -1: out of memory. */
int mysql_columns_finish(struct mysql_columns *columns, struct ArrowArray *out);
/* The first error of an append, or NULL. */
const char *mysql_columns_error(const struct mysql_columns *columns);
/* The number of dates that do not exist (0000-00-00) and became NULL. With zero_dates: error the first one is an error. */
int64_t mysql_columns_bad_dates(const struct mysql_columns *columns);

/* spec.c */

extern const char mysql_extractor_spec[];

/* extractor.c */

extern const struct osiris_driver mysql_extractor;

#endif
