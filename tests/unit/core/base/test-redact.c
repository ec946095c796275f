/* Nothing secret gets through, and nothing else is lost (core/base/redact.h). */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "core/base/json-access.h"
#include "core/base/redact.h"

static struct redactor *with(const char *const *values)
{
    struct redactor *redactor = redactor_new();

    ck_assert_ptr_nonnull(redactor);
    for (; *values != NULL; values++)
        ck_assert_int_eq(redactor_add(redactor, *values), 0);
    return redactor;
}

#define WITH(...) with((const char *const[]){__VA_ARGS__, NULL})

static void expect(struct redactor *redactor, const char *text, const char *expected)
{
    char *got = redactor_text(redactor, text, strlen(text));

    ck_assert_ptr_nonnull(got);
    ck_assert_str_eq(got, expected);
    free(got);
}

START_TEST(test_nothing_to_hide)
{
    struct redactor *redactor = redactor_new();

    expect(redactor, "", "");
    expect(redactor, "plain text", "plain text");
    ck_assert_int_eq(redactor_add(redactor, ""), 0);
    expect(redactor, "still plain", "still plain");
    redactor_free(redactor);
}
END_TEST

START_TEST(test_everywhere_in_a_text)
{
    struct redactor *redactor = WITH("hunter22");

    expect(redactor, "hunter22", REDACT_MASK);
    expect(redactor, "a hunter22 b", "a " REDACT_MASK " b");
    expect(redactor, "hunter22hunter22", REDACT_MASK REDACT_MASK);
    expect(redactor, "xhunter22x hunter2 hunter3", "x" REDACT_MASK "x hunter2 hunter3");
    redactor_free(redactor);
}
END_TEST

START_TEST(test_length_bounds_the_text)
{
    struct redactor *redactor = WITH("hunter22");
    char *got = redactor_text(redactor, "say hunter22", 9);

    ck_assert_str_eq(got, "say hunte");
    free(got);
    redactor_free(redactor);
}
END_TEST

START_TEST(test_longest_first_and_overlaps_leave_nothing)
{
    struct redactor *redactor = WITH("abcd", "abcdefgh", "ghij9876", "defg");

    expect(redactor, "-abcdefgh-", "-" REDACT_MASK "-");
    expect(redactor, "-abcdefghij9876-", "-" REDACT_MASK "-");
    expect(redactor, "-abcd-", "-" REDACT_MASK "-");
    redactor_free(redactor);
}
END_TEST

START_TEST(test_short_values_only_alone)
{
    struct redactor *redactor = WITH("abc");

    expect(redactor, "abc, \"abc\" abcd xabc a_abc", REDACT_MASK ", \"" REDACT_MASK
                                                      "\" abcd xabc a_abc");
    redactor_free(redactor);
}
END_TEST

START_TEST(test_forms_in_which_values_travel)
{
    struct redactor *redactor = WITH("p\"a/s s+w%rd\\");

    expect(redactor, "x p\"a/s s+w%rd\\ y", "x " REDACT_MASK " y");
    expect(redactor, "\"p\\\"a\\/s s+w%rd\\\\\"", "\"" REDACT_MASK "\"");
    expect(redactor, "\"p\\\"a/s s+w%rd\\\\\"", "\"" REDACT_MASK "\"");
    expect(redactor, "u:p%22a%2Fs%20s%2Bw%25rd%5C@h", "u:" REDACT_MASK "@h");
    expect(redactor, "u:p%22a%2fs%20s%2bw%25rd%5c@h", "u:" REDACT_MASK "@h");
    expect(redactor, "p=p%22a%2Fs+s%2Bw%25rd%5C&", "p=" REDACT_MASK "&");
    redactor_free(redactor);
}
END_TEST

START_TEST(test_base64_at_every_shift)
{
    struct redactor *redactor = WITH("correct-horse-battery");
    /* base64 of "", "u:", "me:", "joe:" followed by the value. */
    static const char *const texts[] = {
        "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5", "dTpjb3JyZWN0LWhvcnNlLWJhdHRlcnk=",
        "bWU6Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5", "am9lOmNvcnJlY3QtaG9yc2UtYmF0dGVyeQ=="};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char *got = redactor_text(redactor, texts[i], strlen(texts[i]));
        ck_assert_msg(strstr(got, REDACT_MASK) != NULL, "%s is left as %s", texts[i], got);
        ck_assert_msg(strlen(got) < strlen(REDACT_MASK) + 12, "%s is left as %s", texts[i], got);
        free(got);
    }
    redactor_free(redactor);
}
END_TEST

START_TEST(test_lines_of_a_key)
{
    struct redactor *redactor = WITH("-----BEGIN-----\nMIIBVAIBADANBg\r\nkqhkiG9w0BAQ\n");

    expect(redactor, "line MIIBVAIBADANBg", "line " REDACT_MASK);
    expect(redactor, "line kqhkiG9w0BAQ.", "line " REDACT_MASK ".");
    redactor_free(redactor);
}
END_TEST

START_TEST(test_many_values_and_a_long_text)
{
    struct redactor *redactor = redactor_new();
    size_t length = 1 << 20;
    char *text = malloc(length + 1);
    char value[32];

    for (int i = 0; i < 500; i++) {
        snprintf(value, sizeof value, "secret-%d-value", i);
        ck_assert_int_eq(redactor_add(redactor, value), 0);
    }
    memset(text, 's', length);
    memcpy(text + length - 40, "secret-499-value", 16);
    text[length] = '\0';
    char *got = redactor_text(redactor, text, length);
    ck_assert_uint_eq(strlen(got), length - 16 + strlen(REDACT_MASK));
    ck_assert_ptr_null(strstr(got, "secret-"));
    free(got);
    free(text);
    redactor_free(redactor);
}
END_TEST

/* Somebody else may have cut the text: of a secret its beginning is left. */
START_TEST(test_texts_that_were_cut)
{
    struct redactor *redactor = WITH("C4nary-P4ssword", "it's-quoted");

    expect(redactor, "near 'C4nary", "near '" REDACT_MASK);
    expect(redactor, "near 'C4nary' at line 1", "near '" REDACT_MASK "' at line 1");
    expect(redactor, "near \"C4nary-P4ss\" and `C4nary-P`", "near \"" REDACT_MASK "\" and `" REDACT_MASK "`");
    expect(redactor, "C4nary-P4sswor\nnext", REDACT_MASK "\nnext");
    expect(redactor, "\"C4nary-P\\\" C4nary-P... C4nary-P…", "\"" REDACT_MASK "\\\" " REDACT_MASK "... " REDACT_MASK "…");
    expect(redactor, "'it's-qu'", "'" REDACT_MASK "'");
    /* A quotation may begin within it. */
    expect(redactor, "near 'P4ssword at line 1", "near '" REDACT_MASK " at line 1");
    expect(redactor, "near 'quoted' `ssword`", "near '" REDACT_MASK "' `" REDACT_MASK "`");
    expect(redactor, "near 'sword' P4ssword", "near 'sword' P4ssword");
    /* Less is too little, and what goes on is another word. */
    expect(redactor, "near 'C4nar' C4nary-P4ss is", "near 'C4nar' C4nary-P4ss is");
    redactor_free(redactor);
}
END_TEST

/* A whole value is a name. */
START_TEST(test_prefixes_in_json)
{
    struct redactor *redactor = WITH("shopping123");
    json_object *value = json_tokener_parse("{\"database\": \"shopping\", \"text\": \"near 'shopping' at\"}");
    const char *masked = "near '" REDACT_MASK "' at";
    const struct {
        json_object *(*copy)(struct redactor *, json_object *);
        const char *database, *text;
    } cases[] = {{redactor_json, "shopping", masked},
                 {redactor_event, REDACT_MASK, masked},
                 {redactor_record, "shopping", "near 'shopping' at"}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_object *copy = cases[i].copy(redactor, value);
        ck_assert_str_eq(json_member_string(copy, "database", ""), cases[i].database);
        ck_assert_str_eq(json_member_string(copy, "text", ""), cases[i].text);
        json_object_put(copy);
    }
    json_object_put(value);
    redactor_free(redactor);
}
END_TEST

/* What we write ourselves is not masked again for words that it may have. */
START_TEST(test_records)
{
    struct redactor *redactor = WITH("success", "2026", "mysql", "null", "C4nary-P4ss!", "0123456789abcdef01234567");
    json_object *value = json_tokener_parse(
        "{\"status\": \"success\", \"ts\": \"2026-12-01\", \"driver\": \"mysql.extractor\", \"mysql\": null,"
        "\"path\": \"run_logs/2026/C4nary-P4ss!\", \"password\": \"x\", \"hash\": \"0123456789abcdef01234567\"}");
    json_object *copy = redactor_record(redactor, value);

    ck_assert_str_eq(json_object_to_json_string_ext(copy, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                     "{\"status\":\"success\",\"ts\":\"2026-12-01\",\"driver\":\"mysql.extractor\",\"mysql\":null,"
                     "\"path\":\"run_logs/2026/" REDACT_MASK "\",\"password\":\"" REDACT_MASK "\",\"hash\":\"" REDACT_MASK "\"}");
    expect(redactor, "status success of mysql", "status " REDACT_MASK " of " REDACT_MASK);
    json_object_put(copy);
    json_object_put(value);
    redactor_free(redactor);
}
END_TEST

/* Bytes of which more come are held back from where a secret may have begun. */
START_TEST(test_what_is_settled)
{
    struct redactor *redactor = WITH("hunter22", "22-and-more");

    ck_assert_uint_eq(redactor_settled(redactor, "nothing", 7), 7);
    ck_assert_uint_eq(redactor_settled(redactor, "say h", 5), 4);
    ck_assert_uint_eq(redactor_settled(redactor, "say hunter2", 11), 4);
    ck_assert_uint_eq(redactor_settled(redactor, "say hunter2x", 12), 12);
    /* The second may follow from the end of the first: they are masked as one. */
    ck_assert_uint_eq(redactor_settled(redactor, "say hunter22", 12), 4);
    ck_assert_uint_eq(redactor_settled(redactor, "say hunter22, ", 14), 14);
    redactor_free(redactor);
}
END_TEST

START_TEST(test_json)
{
    struct redactor *redactor = WITH("hunter22");
    json_object *value = json_tokener_parse(
        "{\"a\": [\"x hunter22\", 1, null, true], \"password\": \"else\", \"apiKey\": 12345, "
        "\"hunter22\": 0.1, \"auth\": {\"token\": [1, 2], \"user\": \"me\"}, \"token\": null, "
        "\"primary_key\": \"id\", \"big\": 18446744073709551615, \"low\": -7}");
    json_object *copy = redactor_event(redactor, value);

    ck_assert_str_eq(json_object_to_json_string_ext(copy, JSON_C_TO_STRING_PLAIN),
                     "{\"a\":[\"x " REDACT_MASK "\",1,null,true],\"password\":\"" REDACT_MASK
                     "\",\"apiKey\":\"" REDACT_MASK "\",\"" REDACT_MASK
                     "\":0.1,\"auth\":{\"token\":\"" REDACT_MASK
                     "\",\"user\":\"me\"},\"token\":null,\"primary_key\":\"id\","
                     "\"big\":18446744073709551615,\"low\":-7}");
    ck_assert_ptr_nonnull(strstr(json_object_to_json_string(value), "hunter22"));
    json_object_put(copy);
    json_object_put(value);
    redactor_free(redactor);
}
END_TEST

START_TEST(test_secret_keys)
{
    static const char *const secret[] = {
        "password",   "Password",  "MYSQL_PASSWORD", "dbPassword", "db-password",  "dbpassword",
        "password2",  "passwd",    "pwd",            "db_pw",      "db_pass",      "token",
        "accessToken", "api_key",  "apiKey",         "APIKey",     "X-API-Key",    "apikey",
        "secret",     "client_secret", "clientSecret", "auth",     "Authorization", "key",
        "dsn",        "connection_string", "service_role_key", "anon_key", "refresh_token"};
    static const char *const harmless[] = {
        "primary_key", "primaryKey", "total_tokens", "max_tokens", "token_count", "upsert_keys",
        "keys",        "sort_key",   "bypass",       "auth_type",  "author",      "monkey",
        "username",    "key_column", "",             "page_token", "passenger",   "tokenizer"};

    for (size_t i = 0; i < sizeof secret / sizeof secret[0]; i++)
        ck_assert_msg(redact_key_is_secret(secret[i]), "%s is secret", secret[i]);
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
        ck_assert_msg(!redact_key_is_secret(harmless[i]), "%s is harmless", harmless[i]);
    ck_assert(!redact_key_is_secret(NULL));
}
END_TEST

UNIT_MAIN("redact", test_nothing_to_hide, test_everywhere_in_a_text, test_length_bounds_the_text,
          test_longest_first_and_overlaps_leave_nothing, test_short_values_only_alone,
          test_forms_in_which_values_travel, test_base64_at_every_shift, test_lines_of_a_key,
          test_many_values_and_a_long_text, test_texts_that_were_cut, test_prefixes_in_json,
          test_records, test_what_is_settled, test_json, test_secret_keys)
