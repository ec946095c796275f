/* What the files of the mysql drivers share. */
#ifndef OSIRIS_DRIVERS_MYSQL_H
#define OSIRIS_DRIVERS_MYSQL_H

#include <mysql.h>
#include <osiris/kit.h>
#include <osiris/plugin.h>
#include <pthread.h>
#include <stdbool.h>

/* A batch ends with the row that reaches so many bytes. */
#define MYSQL_BATCH_BYTES (1u << 20)
/* A row of more bytes is worth the trouble of looking after its memory. */
#define MYSQL_LARGE_ROW (1u << 20)
/* In a row, before a lost connection is given up; the spec has it, too. */
#define MYSQL_RECONNECT_ATTEMPTS 10
/* Of `consistent`; the spec has it, too. */
#define MYSQL_LOCK_TIMEOUT_S 10

/* The connection's `ssl`. */
struct mysql_tls {
    int mode;      /* tls.c's */
    bool discreet; /* the password itself is never sent */
    const char *ca, *certificate, *key, *cipher;
};

/* Where to connect, borrowed from the host. It stays where it is. */
struct mysql_target {
    const char *host, *database, *user, *password, *socket;
    unsigned port;
    unsigned connect_timeout_s, read_timeout_s;
    struct mysql_tls tls;
    char address[128]; /* what `host` has in brackets */
};

/* A connection that another thread may interrupt. */
struct mysql_session {
    const struct osiris_host *host;
    struct mysql_target target;
    MYSQL *mysql;             /* the step thread's; NULL: not connected */
    unsigned long thread_id;  /* the server's, of the connection; 0: not connected yet */
    bool querying;            /* a statement is under way on the server */
    int wake;                 /* eventfd: readable once interrupted */
    pthread_mutex_t lock;     /* guards interrupted and socket */
    bool interrupted;
    int socket; /* a descriptor of its own of the connection's; -1: none that interrupt could shut */
};

/* target.c */

/* What the connection's fields say, checked; -1: reported. */
int mysql_target_init(struct mysql_target *target, const struct osiris_host *host);

/* connect.c */

int mysql_session_init(struct mysql_session *session, const struct osiris_host *host);
void mysql_session_clear(struct mysql_session *session);
int mysql_session_connect(struct mysql_session *session);
/* Closes the connection; another one may follow. */
void mysql_session_disconnect(struct mysql_session *session);
/* Waits so long; -1: it was interrupted. */
int mysql_session_wait(const struct mysql_session *session, int milliseconds);
bool mysql_session_is_interrupted(struct mysql_session *session);
/* [any thread] Makes a wait in the connection end with an error. */
void mysql_session_interrupt(struct mysql_session *session);
/* A statement is under way and nobody wants its rows: cuts the connection and has the server stop. */
void mysql_session_abandon(struct mysql_session *session);

/* errors.c */

/* Reports what the server or the client library said; always -1. `doing`: "connect", "run the query", … */
int mysql_session_fail(struct mysql_session *session, const char *doing, unsigned code,
                       const char *state, const char *message);
/* The same, of what a call with the statement failed of. */
int mysql_session_fail_statement(struct mysql_session *session, const char *doing,
                                 MYSQL_STMT *statement);
/* The same, of what a statement of init_sql failed of. */
int mysql_session_fail_init_sql(struct mysql_session *session, const char *doing);
/* Reports that connect_timeout is over; always -1. */
int mysql_session_fail_late(struct mysql_session *session);

/* tls.c */

/* The connection's `ssl`; -1: reported. The target's socket is known already. */
int mysql_tls_init(struct mysql_target *target, const struct osiris_host *host);
/* Whether its files and a client library that can do it are there, where the step runs; -1: reported. */
int mysql_tls_check_place(const struct mysql_target *target, const struct osiris_host *host);
/* Tells a new handle. */
void mysql_tls_prepare(const struct mysql_target *target, MYSQL *mysql);
/* Whether the server's greeting decides (`preferred`), and is to be seen before the library reads it. */
bool mysql_tls_wants_greeting(const struct mysql_target *target);
/* Looks for the greeting in the connected socket and decides, for the target's later connections, too. False: it is not
 * all there yet. */
bool mysql_tls_see_greeting(struct mysql_target *target, MYSQL *mysql, int socket);
/* Whether the connection is what was asked for; -1: reported. */
int mysql_tls_after_connect(const struct mysql_session *session);

/* certificate.c */

/* How this client library verifies a certificate. */
enum mysql_certificates {
    MYSQL_CERTIFICATES_BY_LIBRARY, /* Connector/C before 3.4: as it is told */
    MYSQL_CERTIFICATES_BY_US,      /* 3.4.2 and newer: it asks us, between the handshake and the login */
    MYSQL_CERTIFICATES_UNKNOWN,    /* 3.4.0, 3.4.1: by rules of its own */
};

enum mysql_certificates mysql_certificates(void);
/* Whether what the library uses for TLS is known well enough to verify certificates with. */
bool mysql_certificates_can_be_verified(void);
/* MYSQL_CERTIFICATES_BY_US: has a new handle ask whether an authority that it trusts has signed the certificate, and whether
 * the certificate is the host's. */
void mysql_certificates_ask(MYSQL *mysql, bool authority, bool identity);

/* init-sql.c */

/* Runs the connection's `init_sql`; -1: reported. */
int mysql_run_init_sql(struct mysql_session *session);

/* statement.c */

/* What is to be read of a table, beside what the config says. All zero: all of it. */
struct mysql_part {
    const char *condition;    /* of its rows, beside the config's `where`: SQL, or NULL */
    const char *order;        /* SQL that stands behind ORDER BY, or NULL: the config's `order_by` */
    const char *more_columns; /* SQL that stands behind the columns of the config, ", `id`", or NULL */
    int64_t taken;            /* rows that came already; less than the config's limit */
};

/* Whether the config says what to read; -1: reported. */
int mysql_check_statement(const struct osiris_host *host);
/* The SQL to run (free it), NULL with the problem reported. `part` is for tables; a query is run as it is. */
char *mysql_make_statement(const struct osiris_host *host, const struct mysql_part *part);

/* Has the server parse the config's `where` without our parentheses: "1) OR (1" would not stay within them. -1: reported. */
int mysql_check_where(struct mysql_session *session);

/* lengthen.c */

/* The statement as it is to be sent (free it), with blanks behind it where that makes the server faster; NULL: no memory. */
char *mysql_lengthen(MYSQL *mysql, const char *sql, size_t *length);

/* columns.c */

struct mysql_columns;

/* Chooses a type for each column of the result; `net` is the connection's, whose buffer bounds its rows. A batch will have
 * no more rows than `batch_rows`, and end at `batch_bytes`. NULL with the problem reported. */
struct mysql_columns *mysql_columns_new(const struct osiris_host *host, const NET *net,
                                        const MYSQL_FIELD *fields, unsigned count,
                                        int64_t batch_rows, size_t batch_bytes);
void mysql_columns_free(struct mysql_columns *columns);
struct osiris_builder *mysql_columns_builder(struct mysql_columns *columns);
/* libmariadb's row callback: `row` is at the column's bytes and is moved behind them; NULL: NULL. */
void mysql_columns_append(void *columns, unsigned column, unsigned char **row);
/* Whoever bounds what several readers hold in memory: waits until there is room for a batch of so many bytes; false: nobody
 * wants them any more. */
struct mysql_room {
    bool (*wait)(void *owner, size_t bytes); /* or NULL: nobody does */
    void *owner;
};

/* Asked while a row of more than MYSQL_LARGE_ROW bytes is appended. */
void mysql_columns_set_room(struct mysql_columns *columns, struct mysql_room room);
/* Gives the memory that a large row took in the connection's buffer back to the system; call it behind each row. */
void mysql_columns_end_row(struct mysql_columns *columns);
/* Moves the batch out, and begins the next. 0, or -1: no memory. */
int mysql_columns_finish(struct mysql_columns *columns, struct ArrowArray *out);
/* What an append failed of since the beginning, or NULL. */
const char *mysql_columns_error(const struct mysql_columns *columns);
/* Dates that do not exist (0000-00-00) and were made NULL. With zero_dates: error none is; the first is an error. */
int64_t mysql_columns_bad_dates(const struct mysql_columns *columns);

/* spec.c */

extern const char mysql_extractor_spec[];

/* extractor.c */

extern const struct osiris_driver mysql_extractor;

#endif
