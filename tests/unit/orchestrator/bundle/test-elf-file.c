/* ELF objects: this program, whole and damaged. */
#include "unit.h"

#include <string.h>
#include <sys/utsname.h>

#include "core/base/atomic-file.h"
#include "orchestrator/bundle/elf-file.h"

static char *this_program(size_t *length)
{
    char *bytes = read_whole_file("/proc/self/exe", 256u << 20, length, NULL);

    ck_assert_ptr_nonnull(bytes);
    return bytes;
}

/* Exactly as long as its bytes, so that a sanitizer sees whatever is read beyond. */
static char *copy_of(const char *bytes, size_t length)
{
    char *copy = malloc(length > 0 ? length : 1);

    memcpy(copy, bytes, length);
    return copy;
}

static void use(char *bytes, size_t length)
{
    struct elf_facts facts;

    (void)elf_is(bytes, length);
    (void)elf_read("it", bytes, length, &facts, NULL);
    (void)elf_needs(bytes, length, "libnone.so.1");
    ck_assert_uint_le(elf_strip(bytes, length), length);
}

START_TEST(this_program_says_what_it_is)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    struct elf_facts facts;
    struct utsname name;
    size_t length;
    _cleanup_free_ char *bytes = this_program(&length);

    ck_assert(elf_is(bytes, length));
    ck_assert_int_eq(elf_read("it", bytes, length, &facts, &error), 0);
    ck_assert_int_eq(uname(&name), 0);
    ck_assert_str_eq(facts.architecture, name.machine);
    ck_assert_int_eq(facts.interpreter[0], '/');
    ck_assert_uint_gt(facts.kernel[0], 1);
    ck_assert(elf_needs(bytes, length, "libc.so.6"));
    ck_assert(!elf_needs(bytes, length, "libc.so"));
}
END_TEST

START_TEST(a_stripped_program_says_the_same)
{
    struct elf_facts before, after;
    size_t length;
    _cleanup_free_ char *bytes = this_program(&length);

    ck_assert_int_eq(elf_read("it", bytes, length, &before, NULL), 0);
    size_t kept = elf_strip(bytes, length);
    ck_assert_uint_lt(kept, length);
    _cleanup_free_ char *stripped = copy_of(bytes, kept);
    ck_assert_int_eq(elf_read("it", stripped, kept, &after, NULL), 0);
    ck_assert_mem_eq(&before, &after, sizeof before);
    ck_assert(elf_needs(stripped, kept, "libc.so.6"));
    ck_assert_uint_eq(elf_strip(stripped, kept), kept);
}
END_TEST

START_TEST(what_stands_behind_the_sections_is_kept)
{
    size_t length;
    _cleanup_free_ char *bytes = this_program(&length);
    _cleanup_free_ char *longer = malloc(length + 8);

    memcpy(longer, bytes, length);
    memcpy(longer + length, "payload", 8);
    ck_assert_uint_eq(elf_strip(longer, length + 8), length + 8);
    ck_assert_mem_eq(longer, bytes, length);
}
END_TEST

START_TEST(no_object_is_refused)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    struct elf_facts facts;

    ck_assert(!elf_is("\177EL", 3));
    ck_assert_int_eq(elf_read("it", "#!/bin/sh\n", 10, &facts, &error), -1);
    ck_assert_str_eq(error.message, "\"it\" is not a program or a shared object (ELF)");
}
END_TEST

START_TEST(any_beginning_of_it_can_be_read)
{
    size_t length;
    _cleanup_free_ char *bytes = this_program(&length);

    for (size_t cut = 0; cut < length; cut += cut < 1200 ? 1 : length / 60 + 1) {
        _cleanup_free_ char *part = copy_of(bytes, cut);
        use(part, cut);
    }
}
END_TEST

/* Of the headers, where nearly every byte means something, at both ends of the file. */
START_TEST(any_damage_can_be_read)
{
    size_t length;
    uint64_t random = 88172645463325252u;
    _cleanup_free_ char *bytes = this_program(&length);

    for (int round = 0; round < 1500; round++) {
        _cleanup_free_ char *damaged = copy_of(bytes, length);
        for (int i = 0; i < 1 + round % 3; i++) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            size_t at = random % 1024;
            damaged[round % 2 == 0 ? at : length - 1 - at % length] = (char)(random >> 32);
        }
        use(damaged, length);
    }
}
END_TEST

UNIT_MAIN("elf-file", this_program_says_what_it_is, a_stripped_program_says_the_same, what_stands_behind_the_sections_is_kept,
          no_object_is_refused, any_beginning_of_it_can_be_read, any_damage_can_be_read)
