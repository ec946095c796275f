/* ELF objects; see elf-file.h. */
#include "orchestrator/bundle/elf-file.h"

#include <endian.h>
#include <gelf.h>
#include <stdio.h>
#include <string.h>

#ifndef EM_LOONGARCH
#define EM_LOONGARCH 258
#endif

static const struct {
    unsigned machine;
    unsigned char class, order;
    const char *name;
} architectures[] = {
    {EM_X86_64, ELFCLASS64, ELFDATA2LSB, "x86_64"},   {EM_X86_64, ELFCLASS32, ELFDATA2LSB, "x32"},
    {EM_386, ELFCLASS32, ELFDATA2LSB, "i686"},        {EM_AARCH64, ELFCLASS64, ELFDATA2LSB, "aarch64"},
    {EM_AARCH64, ELFCLASS64, ELFDATA2MSB, "aarch64_be"}, {EM_ARM, ELFCLASS32, ELFDATA2LSB, "armv7l"},
    {EM_PPC64, ELFCLASS64, ELFDATA2LSB, "ppc64le"},   {EM_PPC64, ELFCLASS64, ELFDATA2MSB, "ppc64"},
    {EM_S390, ELFCLASS64, ELFDATA2MSB, "s390x"},      {EM_RISCV, ELFCLASS64, ELFDATA2LSB, "riscv64"},
    {EM_LOONGARCH, ELFCLASS64, ELFDATA2LSB, "loongarch64"},
};

static inline void end_elf(Elf **elf)
{
    (void)elf_end(*elf);
}
#define _cleanup_elf_ _cleanup_(end_elf)

/* libelf does not write to the bytes: it is not asked to. */
static Elf *open_elf(const char *bytes, size_t length)
{
    return elf_version(EV_CURRENT) == EV_NONE ? NULL : elf_memory((char *)bytes, length);
}

bool elf_is(const char *bytes, size_t length)
{
    return length > SELFMAG && memcmp(bytes, ELFMAG, SELFMAG) == 0;
}

static void name_architecture(const GElf_Ehdr *header, char name[24])
{
    snprintf(name, 24, "machine %u", header->e_machine);
    for (size_t i = 0; i < sizeof architectures / sizeof architectures[0]; i++)
        if (header->e_machine == architectures[i].machine && header->e_ident[EI_CLASS] == architectures[i].class &&
            header->e_ident[EI_DATA] == architectures[i].order)
            snprintf(name, 24, "%s", architectures[i].name);
}

/* The part of the file that a segment takes. False: it ends behind the file. */
static bool segment_bytes(const GElf_Phdr *segment, size_t length)
{
    return segment->p_offset <= length && segment->p_filesz <= length - segment->p_offset;
}

static void read_notes(Elf *elf, const GElf_Phdr *segment, struct elf_facts *facts)
{
    Elf_Data *data = elf_getdata_rawchunk(elf, (int64_t)segment->p_offset, segment->p_filesz,
                                          segment->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
    GElf_Nhdr note;
    size_t name, text;

    for (size_t at = 0; data != NULL && (at = gelf_getnote(data, at, &note, &name, &text)) > 0;) {
        uint32_t words[4];
        if (note.n_type != NT_GNU_ABI_TAG || note.n_namesz != sizeof ELF_NOTE_GNU || note.n_descsz < sizeof words ||
            memcmp((char *)data->d_buf + name, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) != 0)
            continue;
        memcpy(words, (char *)data->d_buf + text, sizeof words);
        if (words[0] == ELF_NOTE_OS_LINUX)
            memcpy(facts->kernel, words + 1, sizeof facts->kernel);
    }
}

struct dynamic_search {
    const char *library; /* to be found among those needed, or NULL */
    bool needs_it, has_run_path;
};

/* Objects that are stripped to the bone have no sections, so segments are read, as the dynamic loader does. */
static bool find_segment(Elf *elf, unsigned type, GElf_Phdr *segment)
{
    size_t count;

    for (size_t i = 0; elf_getphdrnum(elf, &count) == 0 && i < count; i++)
        if (gelf_getphdr(elf, (int)i, segment) != NULL && segment->p_type == type)
            return true;
    return false;
}

/* The text at this address, within the file's bytes; NULL: there is none. */
static const char *text_at(Elf *elf, uint64_t address)
{
    size_t count, length;
    const char *bytes = elf_rawfile(elf, &length);
    GElf_Phdr segment;

    for (size_t i = 0; elf_getphdrnum(elf, &count) == 0 && i < count; i++) {
        if (gelf_getphdr(elf, (int)i, &segment) == NULL || segment.p_type != PT_LOAD || !segment_bytes(&segment, length) ||
            address < segment.p_vaddr || address - segment.p_vaddr >= segment.p_filesz)
            continue;
        uint64_t at = address - segment.p_vaddr;
        const char *text = bytes + segment.p_offset + at;
        return memchr(text, '\0', segment.p_filesz - at) == NULL ? NULL : text;
    }
    return NULL;
}

static uint64_t address_of_strings(Elf_Data *data)
{
    GElf_Dyn entry;

    for (int i = 0; gelf_getdyn(data, i, &entry) != NULL && entry.d_tag != DT_NULL; i++)
        if (entry.d_tag == DT_STRTAB)
            return entry.d_un.d_ptr;
    return 0;
}

static void search_dynamic(Elf *elf, struct dynamic_search *search)
{
    GElf_Phdr segment;
    GElf_Dyn entry;
    Elf_Data *data = find_segment(elf, PT_DYNAMIC, &segment)
                         ? elf_getdata_rawchunk(elf, (int64_t)segment.p_offset, segment.p_filesz, ELF_T_DYN)
                         : NULL;
    uint64_t strings = data == NULL ? 0 : address_of_strings(data);

    for (int i = 0; data != NULL && gelf_getdyn(data, i, &entry) != NULL && entry.d_tag != DT_NULL; i++) {
        if (entry.d_tag == DT_RPATH || entry.d_tag == DT_RUNPATH)
            search->has_run_path = true;
        if (entry.d_tag != DT_NEEDED || search->library == NULL)
            continue;
        const char *name = text_at(elf, strings + entry.d_un.d_val);
        if (name != NULL && strcmp(name, search->library) == 0)
            search->needs_it = true;
    }
}

int elf_read(const char *path, const char *bytes, size_t length, struct elf_facts *facts, struct osiris_error *error)
{
    _cleanup_elf_ Elf *elf = open_elf(bytes, length);
    struct dynamic_search search = {0};
    GElf_Ehdr header;
    GElf_Phdr segment;
    size_t count;

    *facts = (struct elf_facts){0};
    if (elf == NULL || elf_kind(elf) != ELF_K_ELF || gelf_getehdr(elf, &header) == NULL || elf_getphdrnum(elf, &count) < 0 ||
        (header.e_type != ET_DYN && header.e_type != ET_EXEC))
        return osiris_error_set(error, OSIRIS_ERROR_DATA, "\"%s\" is not a program or a shared object (ELF)", path);
    name_architecture(&header, facts->architecture);
    for (size_t i = 0; i < count && gelf_getphdr(elf, (int)i, &segment) != NULL; i++) {
        if (!segment_bytes(&segment, length))
            return osiris_error_set(error, OSIRIS_ERROR_DATA, "\"%s\" is truncated", path);
        if (segment.p_type == PT_INTERP)
            snprintf(facts->interpreter, sizeof facts->interpreter, "%.*s", (int)segment.p_filesz, bytes + segment.p_offset);
        if (segment.p_type == PT_NOTE)
            read_notes(elf, &segment, facts);
    }
    search_dynamic(elf, &search);
    facts->has_run_path = search.has_run_path;
    return 0;
}

bool elf_needs(const char *bytes, size_t length, const char *library)
{
    _cleanup_elf_ Elf *elf = open_elf(bytes, length);
    struct dynamic_search search = {.library = library};

    if (elf != NULL)
        search_dynamic(elf, &search);
    return search.needs_it;
}

/* Where the last segment ends, the program headers being one; 0: it cannot be said. */
static size_t end_of_segments(Elf *elf, const GElf_Ehdr *header, size_t length)
{
    size_t count, end;
    GElf_Phdr segment;

    if (elf_getphdrnum(elf, &count) < 0)
        return 0;
    end = header->e_phoff + count * header->e_phentsize;
    for (size_t i = 0; i < count; i++) {
        if (gelf_getphdr(elf, (int)i, &segment) == NULL || !segment_bytes(&segment, length))
            return 0;
        if (segment.p_offset + segment.p_filesz > end)
            end = segment.p_offset + segment.p_filesz;
    }
    return end;
}

/* Whether there is a symbol table, and nothing behind the sections and their headers. */
static bool has_symbols_last(Elf *elf, const GElf_Ehdr *header, size_t length)
{
    bool has_symbols = false;
    GElf_Shdr section_header;
    size_t count, end;

    if (elf_getshdrnum(elf, &count) < 0)
        return false;
    end = header->e_shoff + count * header->e_shentsize;
    for (Elf_Scn *section = elf_nextscn(elf, NULL); section != NULL; section = elf_nextscn(elf, section)) {
        if (gelf_getshdr(section, &section_header) == NULL)
            return false;
        has_symbols = has_symbols || section_header.sh_type == SHT_SYMTAB;
        if (section_header.sh_type != SHT_NOBITS && section_header.sh_offset + section_header.sh_size > end)
            end = section_header.sh_offset + section_header.sh_size;
    }
    return has_symbols && end >= length;
}

/* Only objects in this machine's byte order are changed: others are not loaded by its worker either. */
static void forget_sections(char *bytes, unsigned char class)
{
    if (class == ELFCLASS64) {
        Elf64_Ehdr *header = (Elf64_Ehdr *)bytes;
        header->e_shoff = 0;
        header->e_shnum = header->e_shstrndx = 0;
    } else {
        Elf32_Ehdr *header = (Elf32_Ehdr *)bytes;
        header->e_shoff = 0;
        header->e_shnum = header->e_shstrndx = 0;
    }
}

size_t elf_strip(char *bytes, size_t length)
{
    _cleanup_elf_ Elf *elf = open_elf(bytes, length);
    GElf_Ehdr header;

    if (elf == NULL || gelf_getehdr(elf, &header) == NULL || !has_symbols_last(elf, &header, length) ||
        header.e_ident[EI_DATA] != (BYTE_ORDER == LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB))
        return length;
    size_t end = end_of_segments(elf, &header, length);
    if (end == 0 || end > length)
        return length;
    forget_sections(bytes, header.e_ident[EI_CLASS]);
    return end;
}
