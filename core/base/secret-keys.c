/* Which key names hold secrets (redact_key_is_secret); docs/secrets.md has the same list. */
#include <ctype.h>
#include <string.h>

#include "core/base/redact.h"

/* Longer than any listed name: of a longer key the end decides. */
#define KEY_MAXIMUM 128

/* The whole name, or its end after an underscore: `password`, `db_password`. */
static const char *const secret_names[] = {
    "password",     "passwd",      "pwd",         "pw",          "pass",
    "passphrase",   "token",       "api_key",     "apikey",      "secret",
    "secret_key",   "access_key",  "private_key", "session_key", "encryption_key",
    "service_key",  "service_role_key", "anon_key", "authorization", "credential",
    "client_secret", "bearer",     "dsn",         "connection_string", "refresh_token",
    "passwords",    "api_keys",    "secrets",     "credentials", "accesskey",
    "secretkey",    "privatekey",
};

/* Secret only as the whole name: `sort_key` and `needs_auth` are not. */
static const char *const secret_whole_names[] = {"auth", "key"};

/* Positions in a result, not credentials, although they end like one. */
static const char *const harmless_names[] = {
    "page_token", "next_token", "next_page_token", "continuation_token", "max_token",
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* apiKey, API-Key, APIKey, api.key → api_key; trailing digits go (password2). Keeps the end of a long key. */
static size_t to_snake_case(const char *key, char text[KEY_MAXIMUM])
{
    size_t length = strlen(key);
    size_t start = length > KEY_MAXIMUM / 2 - 1 ? length - (KEY_MAXIMUM / 2 - 1) : 0;
    size_t written = 0;

    for (size_t i = start; i < length; i++) {
        unsigned char c = (unsigned char)key[i];
        bool upper = isupper(c) != 0;
        bool after_lower = i > start && (islower((unsigned char)key[i - 1]) ||
                                         isdigit((unsigned char)key[i - 1]));
        bool ends_acronym = i > start && isupper((unsigned char)key[i - 1]) &&
                            islower((unsigned char)key[i + 1]);
        if (upper && (after_lower || ends_acronym))
            text[written++] = '_';
        text[written++] = (char)(isalnum(c) || c >= 0x80 ? tolower(c) : '_');
    }
    while (written > 0 && (isdigit((unsigned char)text[written - 1]) || text[written - 1] == '_'))
        written--;
    text[written] = '\0';
    return written;
}

static bool is_one_of(const char *text, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, names[i]) == 0)
            return true;
    return false;
}

static bool ends_with(const char *text, size_t length, const char *end)
{
    size_t end_length = strlen(end);

    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static bool ends_with_name(const char *text, size_t length, const char *name)
{
    size_t name_length = strlen(name);

    return ends_with(text, length, name) &&
           (length == name_length || text[length - name_length - 1] == '_');
}

bool redact_key_is_secret(const char *key)
{
    char text[KEY_MAXIMUM];

    if (key == NULL)
        return false;
    size_t length = to_snake_case(key, text);
    for (size_t i = 0; i < COUNT(harmless_names); i++)
        if (ends_with_name(text, length, harmless_names[i]))
            return false;
    if (is_one_of(text, secret_whole_names, COUNT(secret_whole_names)))
        return true;
    for (size_t i = 0; i < COUNT(secret_names); i++)
        if (ends_with_name(text, length, secret_names[i]))
            return true;
    /* dbpassword, MYSQLPASSWD: no other word ends like this. */
    return ends_with(text, length, "password") || ends_with(text, length, "passwd");
}
