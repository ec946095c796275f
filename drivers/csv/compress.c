/*
 * zlib and libzstd behind one interface; see compress.h. The build may lack either.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#include "compress.h"

#define BLOCK ((size_t)1 << 17)
#define WINDOW_LOG_READ 25 /* 32 MiB: another program may have written the file, at any level */

struct csv_compressor {
    enum csv_compression compression;
#ifdef HAVE_ZLIB
    z_stream gzip;
#endif
#ifdef HAVE_ZSTD
    ZSTD_CCtx *zstd;
#endif
    char block[BLOCK];
};

const char *csv_compression_problem(enum csv_compression compression, int level)
{
    switch (compression) {
    case CSV_GZIP:
#ifndef HAVE_ZLIB
        return "this build of csv.writer does not support gzip";
#endif
        return level < 0 || level > 9 ? "gzip has levels 1 to 9" : NULL;
    case CSV_ZSTD:
#ifndef HAVE_ZSTD
        return "this build of csv.writer does not support zstd";
#endif
        return level < 0 || level > 19 ? "zstd has levels 1 to 19" : NULL;
    default:
        return level != 0 ? "the file is not compressed" : NULL;
    }
}

enum csv_compression csv_compression_of_name(const char *name)
{
    size_t size = strlen(name);
    if (size > 3 && strcasecmp(name + size - 3, ".gz") == 0)
        return CSV_GZIP;
    return size > 4 && strcasecmp(name + size - 4, ".zst") == 0 ? CSV_ZSTD : CSV_PLAIN;
}

#ifdef HAVE_ZLIB

static bool start_gzip(struct csv_compressor *compressor, int level)
{
    /* 16: with a gzip header, whose time is 0, so that the same table produces the same file. */
    return deflateInit2(&compressor->gzip, level == 0 ? 6 : level, Z_DEFLATED, 15 + 16, 8,
                        Z_DEFAULT_STRATEGY) == Z_OK;
}

static int run_gzip(struct csv_compressor *compressor, const char *data, size_t size, bool last,
                    csv_take take, void *context)
{
    z_stream *gzip = &compressor->gzip;
    do {
        size_t part = size < BLOCK ? size : BLOCK;
        int flush = last && part == size ? Z_FINISH : Z_NO_FLUSH;
        gzip->next_in = (Bytef *)data;
        gzip->avail_in = (uInt)part;
        do {
            gzip->next_out = (Bytef *)compressor->block;
            gzip->avail_out = BLOCK;
            (void)deflate(gzip, flush);
            if (take(context, compressor->block, BLOCK - gzip->avail_out) < 0)
                return -1;
        } while (gzip->avail_out == 0);
        data += part;
        size -= part;
    } while (size > 0);
    return last && deflateReset(gzip) != Z_OK ? 1 : 0;
}

#endif
#ifdef HAVE_ZSTD

static bool set_zstd(struct csv_compressor *compressor, ZSTD_cParameter parameter, int value)
{
    return !ZSTD_isError(ZSTD_CCtx_setParameter(compressor->zstd, parameter, value));
}

/* The tables of the higher levels take up to 90 MiB. With these, no level takes more than 16; level 19 makes files 1.3
 * % larger, in less than half the time (27 MB of orders, zstd 1.5.4). */
static bool bound_tables(struct csv_compressor *compressor, int level)
{
    return level < 9 || (set_zstd(compressor, ZSTD_c_windowLog, 21) &&
                          set_zstd(compressor, ZSTD_c_chainLog, 21) &&
                          set_zstd(compressor, ZSTD_c_hashLog, 20));
}

static bool start_zstd(struct csv_compressor *compressor, int level)
{
    compressor->zstd = ZSTD_createCCtx();
    return compressor->zstd != NULL &&
           set_zstd(compressor, ZSTD_c_compressionLevel, level == 0 ? 3 : level) &&
           bound_tables(compressor, level) && set_zstd(compressor, ZSTD_c_checksumFlag, 1);
}

static int run_zstd(struct csv_compressor *compressor, const char *data, size_t size, bool last,
                    csv_take take, void *context, const char **problem)
{
    ZSTD_inBuffer in = {data, size, 0};
    for (;;) {
        ZSTD_outBuffer out = {compressor->block, BLOCK, 0};
        size_t left =
            ZSTD_compressStream2(compressor->zstd, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left)) {
            *problem = ZSTD_getErrorName(left);
            return 1;
        }
        if (take(context, compressor->block, out.pos) < 0)
            return -1;
        if (last ? left == 0 : in.pos == in.size)
            return 0;
    }
}

#endif

struct csv_compressor *csv_compressor_new(enum csv_compression compression, int level)
{
    struct csv_compressor *compressor = calloc(1, sizeof *compressor);
    bool started = false;
    (void)level;
    if (compressor == NULL)
        return NULL;
    compressor->compression = compression;
#ifdef HAVE_ZLIB
    started = started || (compression == CSV_GZIP && start_gzip(compressor, level));
#endif
#ifdef HAVE_ZSTD
    started = started || (compression == CSV_ZSTD && start_zstd(compressor, level));
#endif
    if (started)
        return compressor;
    csv_compressor_free(compressor);
    return NULL;
}

void csv_compressor_free(struct csv_compressor *compressor)
{
    if (compressor == NULL)
        return;
#ifdef HAVE_ZLIB
    if (compressor->compression == CSV_GZIP)
        (void)deflateEnd(&compressor->gzip);
#endif
#ifdef HAVE_ZSTD
    ZSTD_freeCCtx(compressor->zstd);
#endif
    free(compressor);
}

int csv_compress(struct csv_compressor *compressor, const char *data, size_t size, bool last,
                 csv_take take, void *context, const char **problem)
{
    (void)compressor, (void)last; /* in a build without either library */
    *problem = "this build does not support it";
#ifdef HAVE_ZLIB
    if (compressor->compression == CSV_GZIP)
        return run_gzip(compressor, data, size, last, take, context);
#endif
#ifdef HAVE_ZSTD
    if (compressor->compression == CSV_ZSTD)
        return run_zstd(compressor, data, size, last, take, context, problem);
#endif
    return take(context, data, size);
}

/* Decompression. */

struct csv_decompressor {
    enum csv_compression compression;
    bool inside; /* within a member or frame */
#ifdef HAVE_ZLIB
    z_stream gzip;
#endif
#ifdef HAVE_ZSTD
    ZSTD_DCtx *zstd;
#endif
};

#ifdef HAVE_ZLIB

static ssize_t run_gunzip(struct csv_decompressor *decompressor, const char **data, size_t *left,
                          char *to, size_t size, const char **problem)
{
    z_stream *gzip = &decompressor->gzip;
    gzip->next_in = (Bytef *)*data;
    gzip->avail_in = (uInt)*left;
    gzip->next_out = (Bytef *)to;
    gzip->avail_out = (uInt)size;
    int result = inflate(gzip, Z_NO_FLUSH);
    *data += *left - gzip->avail_in;
    *left = gzip->avail_in;
    decompressor->inside = result != Z_STREAM_END;
    if (result == Z_STREAM_END)
        result = inflateReset(gzip);
    if (result == Z_OK || result == Z_BUF_ERROR)
        return (ssize_t)(size - gzip->avail_out);
    *problem = gzip->msg != NULL ? gzip->msg : zError(result);
    return -1;
}

#endif
#ifdef HAVE_ZSTD

static bool start_unzstd(struct csv_decompressor *decompressor)
{
    decompressor->zstd = ZSTD_createDCtx();
    return decompressor->zstd != NULL &&
           !ZSTD_isError(ZSTD_DCtx_setParameter(decompressor->zstd, ZSTD_d_windowLogMax,
                                                WINDOW_LOG_READ));
}

static ssize_t run_unzstd(struct csv_decompressor *decompressor, const char **data, size_t *left,
                          char *to, size_t size, const char **problem)
{
    ZSTD_inBuffer in = {*data, *left, 0};
    ZSTD_outBuffer out = {to, size, 0};
    size_t result = ZSTD_decompressStream(decompressor->zstd, &out, &in);
    *data += in.pos;
    *left -= in.pos;
    decompressor->inside = result != 0;
    if (!ZSTD_isError(result))
        return (ssize_t)out.pos;
    *problem = ZSTD_getErrorName(result);
    return -1;
}

#endif

struct csv_decompressor *csv_decompressor_new(enum csv_compression compression)
{
    struct csv_decompressor *decompressor = calloc(1, sizeof *decompressor);
    bool started = false;
    if (decompressor == NULL)
        return NULL;
    decompressor->compression = compression;
#ifdef HAVE_ZLIB
    started = started || (compression == CSV_GZIP &&
                          inflateInit2(&decompressor->gzip, 15 + 16) == Z_OK);
#endif
#ifdef HAVE_ZSTD
    started = started || (compression == CSV_ZSTD && start_unzstd(decompressor));
#endif
    if (started)
        return decompressor;
    csv_decompressor_free(decompressor);
    return NULL;
}

void csv_decompressor_free(struct csv_decompressor *decompressor)
{
    if (decompressor == NULL)
        return;
#ifdef HAVE_ZLIB
    if (decompressor->compression == CSV_GZIP)
        (void)inflateEnd(&decompressor->gzip);
#endif
#ifdef HAVE_ZSTD
    ZSTD_freeDCtx(decompressor->zstd);
#endif
    free(decompressor);
}

ssize_t csv_decompress(struct csv_decompressor *decompressor, const char **data, size_t *left,
                       char *to, size_t size, const char **problem)
{
    (void)to, (void)size; /* in a build without either library */
    *problem = "it cannot be read";
    if (*left == 0 && !decompressor->inside)
        return 0;
#ifdef HAVE_ZLIB
    if (decompressor->compression == CSV_GZIP)
        return run_gunzip(decompressor, data, left, to, size, problem);
#endif
#ifdef HAVE_ZSTD
    if (decompressor->compression == CSV_ZSTD)
        return run_unzstd(decompressor, data, left, to, size, problem);
#endif
    return -1;
}

bool csv_decompressor_is_inside(const struct csv_decompressor *decompressor)
{
    return decompressor->inside;
}
