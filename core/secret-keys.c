/* Which key names are secret; docs/secrets.md has the list. */
#include <ctype.h>
#include <string.h>

#include "core/redact.h"

/* In snake case. A leading '*' matches any beginning. */
static const char *const secret_names[] = {
    "password",    "passwd",         "pwd",           "*_password",       "*_passwd",
    "*_pwd",       "*_pw",           "*_pass",        "passphrase",       "token",
    "*_token",     "api_key",        "apikey",        "*_api_key",        "secret",
    "*_secret",    "secret_key",     "*_secret_key",  "access_key",       "*_access_key",
    "private_key", "*_private_key",  "session_key",   "encryption_key",   "service_key",
    "anon_key",    "service_role_key", "auth",        "authorization",    "credential",
    "credentials", "*_credential",   "*_credentials", "client_secret",    "bearer",
    "dsn",         "connection_string", "refresh_token", "key",
};

/* Names that look like one and are none. */
static const char *const plain_names[] = {"total_token", "max_token", "primary_key",
                                          "foreign_key", "partition_key"};

/* password, dbPassword, db-password → password, db_password, db_password */
static void snake_case(const char *name, char *out, size_t size)
{
    size_t length = 0;

    for (size_t i = 0; name[i] != '\0' && length + 2 < size; i++) {
        unsigned char c = (unsigned char)name[i];
        if (isupper(c) && i > 0 && islower((unsigned char)name[i - 1]))
            out[length++] = '_';
        out[length++] = (char)(c == '-' || c == ' ' || c == '.' ? '_' : tolower(c));
    }
    out[length] = '\0';
}

static bool matches(const char *pattern, const char *name)
{
    size_t name_length = strlen(name);

    if (pattern[0] != '*')
        return strcmp(pattern, name) == 0;
    size_t length = strlen(++pattern);
    return name_length > length && strcmp(name + name_length - length, pattern) == 0;
}

bool redact_key_is_secret(const char *key)
{
    char name[128];

    snake_case(key, name, sizeof name);
    for (size_t i = 0; i < sizeof plain_names / sizeof plain_names[0]; i++)
        if (strcmp(plain_names[i], name) == 0)
            return false;
    for (size_t i = 0; i < sizeof secret_names / sizeof secret_names[0]; i++)
        if (matches(secret_names[i], name))
            return true;
    return false;
}
