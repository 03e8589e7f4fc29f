/* Files read through two buffers: raw bytes (in) and unpacked ones (out). The first failure is kept, and every later
 * call returns it. */
#include "base/context.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_STATIC_LINKING_ONLY /* for the size of its state */
#include <xxhash.h>
#include <zlib.h>

enum { BUFFER = 1 << 16 }; /* 64 KiB: system calls then cost nothing beside unpacking */
/* `xz -9` needs 65 MiB to unpack; a hostile header may claim far more. */
static const uint64_t lzma_most_memory = (uint64_t)256 << 20;

typedef enum packing { PLAIN, GZIP, XZ, DEFLATE } packing;

struct gls_reader {
    gls_context *ctx;
    char *path;
    int fd;
    packing packing;
    gls_status status; /* of the first failure; stays */
    unsigned char *in; /* raw bytes [in_begin, in_end) */
    size_t in_begin, in_end;
    bool in_done;       /* nothing more in the file */
    unsigned char *out; /* unpacked bytes [out_begin, out_end) */
    size_t out_begin, out_end;
    bool done;           /* nothing more to unpack */
    int64_t raw, offset; /* bytes taken from the file; bytes handed out */
    z_stream zlib;
    bool zlib_ready, member_ended;
    lzma_stream lzma;
    lzma_allocator lzma_allocator;
    char *line;
    int64_t line_room, line_number;
    gls_file_digest *digest; /* NULL: nobody watches */
    XXH3_state_t *hash;
    bool section;
    int64_t left, size, unpacked; /* of a section: raw bytes not yet read; its size; bytes unpacked so far */
    uint32_t crc_wanted, crc;
};

static gls_status fail(gls_reader *r, gls_status status, const char *what) {
    if (r->status == GLS_OK)
        r->status =
            gls_fail(r->ctx, status, "%s: byte %lld: %s", r->path,
                     (long long)(r->packing == PLAIN ? r->offset : r->raw - (int64_t)(r->in_end - r->in_begin)), what);
    return r->status;
}

/* ---- raw bytes ---- */

void gls_reader_watch(gls_context *ctx, gls_file_digest *digest) {
    ctx->digest = digest;
}

static void take(gls_reader *r, const void *bytes, size_t n) {
    r->raw += (int64_t)n;
    if (r->hash) XXH3_64bits_update(r->hash, bytes, n);
}

static gls_status start_digest(gls_reader *r) {
    if (!r->ctx->digest) return GLS_OK;
    r->hash = gls_alloc(r->ctx, 1, sizeof *r->hash);
    if (!r->hash) return GLS_ERR_MEMORY;
    r->digest = r->ctx->digest;
    XXH3_64bits_reset(r->hash);
    return GLS_OK;
}

/* A file's own hash is mixed with its size first, so that bytes which move from one file into another change the sum.
 */
static void end_digest(gls_reader *r) {
    if (!r->hash) return;
    uint64_t own[2] = {XXH3_64bits_digest(r->hash), (uint64_t)r->raw};
    pthread_mutex_lock(&r->ctx->lock);
    r->digest->files++;
    r->digest->bytes += r->raw;
    r->digest->hash += XXH3_64bits(own, sizeof own);
    pthread_mutex_unlock(&r->ctx->lock);
    gls_free(r->ctx, r->hash);
}

static gls_status fill_in(gls_reader *r) {
    if (r->in_begin < r->in_end || r->in_done) return GLS_OK;
    size_t most = r->section && r->left < BUFFER ? (size_t)r->left : BUFFER;
    ssize_t got;
    do got = read(r->fd, r->in, most);
    while (got < 0 && errno == EINTR);
    if (got < 0) return fail(r, GLS_ERR_FILE, strerror(errno));
    if (r->section) r->left -= got;
    r->in_begin = 0;
    r->in_end = (size_t)got;
    take(r, r->in, (size_t)got);
    r->in_done = got == 0;
    return GLS_OK;
}

/* ---- unpacking ---- */

static void *zlib_allocate(void *user, unsigned items, unsigned size) {
    return gls_alloc(user, items, size);
}
static void zlib_release(void *user, void *block) {
    gls_free(user, block);
}
static void *lzma_allocate(void *user, size_t items, size_t size) {
    return gls_alloc(user, (int64_t)items, size);
}
static void lzma_release(void *user, void *block) {
    gls_free(user, block);
}

static gls_status start_unpacking(gls_reader *r) {
    if (r->packing == GZIP || r->packing == DEFLATE) {
        r->zlib = (z_stream){.zalloc = zlib_allocate, .zfree = zlib_release, .opaque = r->ctx};
        if (inflateInit2(&r->zlib, r->packing == GZIP ? 16 + MAX_WBITS : -MAX_WBITS) != Z_OK)
            return fail(r, GLS_ERR_MEMORY, "out of memory");
        r->zlib_ready = true;
    } else if (r->packing == XZ) {
        r->lzma_allocator = (lzma_allocator){lzma_allocate, lzma_release, r->ctx};
        r->lzma = (lzma_stream)LZMA_STREAM_INIT;
        r->lzma.allocator = &r->lzma_allocator;
        if (lzma_stream_decoder(&r->lzma, lzma_most_memory, LZMA_CONCATENATED) != LZMA_OK)
            return fail(r, GLS_ERR_MEMORY, "out of memory");
    }
    return GLS_OK;
}

/* After a member another one may follow, or zeros that fill a block. */
static gls_status next_member(gls_reader *r) {
    for (;;) {
        GLS_TRY(fill_in(r));
        if (r->in_begin == r->in_end || r->packing == DEFLATE) {
            r->done = true;
            return GLS_OK;
        }
        if (r->in[r->in_begin] != 0) break;
        r->in_begin++;
    }
    if (r->in[r->in_begin] != 0x1f) return fail(r, GLS_ERR_INPUT, "bytes that are not gzip follow a gzip stream");
    inflateReset(&r->zlib);
    r->member_ended = false;
    return GLS_OK;
}

/* Unpacks until out holds something or the file ends. Z_BUF_ERROR only means that more input is needed. */
static gls_status unpack_gzip(gls_reader *r) {
    while (r->out_end == 0 && !r->done) {
        if (r->member_ended) {
            GLS_TRY(next_member(r));
            continue;
        }
        GLS_TRY(fill_in(r));
        if (r->in_begin == r->in_end)
            return fail(r, GLS_ERR_INPUT,
                        r->packing == GZIP ? "the gzip stream is cut off" : "the deflated data are cut off");
        r->zlib.next_in = r->in + r->in_begin;
        r->zlib.avail_in = (uInt)(r->in_end - r->in_begin);
        r->zlib.next_out = r->out;
        r->zlib.avail_out = BUFFER;
        int code = inflate(&r->zlib, Z_NO_FLUSH);
        r->in_begin = r->in_end - r->zlib.avail_in;
        r->out_end = BUFFER - r->zlib.avail_out;
        if (code == Z_MEM_ERROR) return fail(r, GLS_ERR_MEMORY, "out of memory");
        if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
            return fail(r, GLS_ERR_INPUT, r->zlib.msg ? r->zlib.msg : "the gzip stream is corrupt");
        r->member_ended = code == Z_STREAM_END;
    }
    return GLS_OK;
}

/* Unpacks until out holds something or the file ends; concatenated streams are liblzma's work. */
static gls_status unpack_xz(gls_reader *r) {
    while (r->out_end == 0 && !r->done) {
        GLS_TRY(fill_in(r));
        r->lzma.next_in = r->in + r->in_begin;
        r->lzma.avail_in = r->in_end - r->in_begin;
        r->lzma.next_out = r->out;
        r->lzma.avail_out = BUFFER;
        lzma_ret code = lzma_code(&r->lzma, r->in_done ? LZMA_FINISH : LZMA_RUN);
        r->in_begin = r->in_end - r->lzma.avail_in;
        r->out_end = BUFFER - r->lzma.avail_out;
        if (code == LZMA_STREAM_END)
            r->done = true;
        else if (code == LZMA_MEM_ERROR)
            return fail(r, GLS_ERR_MEMORY, "out of memory");
        else if (code == LZMA_MEMLIMIT_ERROR)
            return fail(r, GLS_ERR_INPUT, "the xz stream needs more than 256 MiB to unpack");
        else if (code == LZMA_BUF_ERROR)
            return fail(r, GLS_ERR_INPUT, "the xz stream is cut off");
        else if (code != LZMA_OK)
            return fail(r, GLS_ERR_INPUT, "the xz stream is corrupt");
    }
    return GLS_OK;
}

static gls_status copy_plain(gls_reader *r) {
    GLS_TRY(fill_in(r));
    unsigned char *raw = r->in;
    r->in = r->out;
    r->out = raw;
    r->out_begin = r->in_begin;
    r->out_end = r->in_end;
    r->in_begin = r->in_end = 0;
    r->done = r->out_begin == r->out_end;
    return GLS_OK;
}

/* A section is what its directory says once it is whole. */
static gls_status check_section(gls_reader *r) {
    size_t some = r->out_end - r->out_begin;
    r->crc = (uint32_t)crc32_z(r->crc, r->out + r->out_begin, some);
    r->unpacked += (int64_t)some;
    if (r->unpacked > r->size || (r->done && r->unpacked < r->size))
        return fail(r, GLS_ERR_INPUT, "another size than the archive says");
    if (r->done && r->crc != r->crc_wanted) return fail(r, GLS_ERR_INPUT, "its checksum is wrong");
    return GLS_OK;
}

/* Makes out non-empty unless nothing is left. */
static gls_status fill_out(gls_reader *r) {
    if (r->status != GLS_OK) return r->status;
    if (r->out_begin < r->out_end || r->done) return GLS_OK;
    r->out_begin = r->out_end = 0;
    if (r->packing == GZIP || r->packing == DEFLATE)
        GLS_TRY(unpack_gzip(r));
    else
        GLS_TRY(r->packing == XZ ? unpack_xz(r) : copy_plain(r));
    return r->section ? check_section(r) : GLS_OK;
}

/* ---- opening and reading ---- */

/* What the file is: its first bytes say how it is packed, a section how it is. */
static gls_status open_file(gls_reader *r, const char *path, int64_t offset) {
    do r->fd = open(path, O_RDONLY | O_CLOEXEC);
    while (r->fd < 0 && errno == EINTR);
    if (r->fd < 0) return gls_fail(r->ctx, GLS_ERR_FILE, "%s: cannot open: %s", path, strerror(errno));
    struct stat info;
    if (fstat(r->fd, &info) == 0 && S_ISDIR(info.st_mode))
        return gls_fail(r->ctx, GLS_ERR_FILE, "%s: expected a file, found a directory", r->path);
    if (r->section) {
        if (lseek(r->fd, (off_t)offset, SEEK_SET) < 0)
            return gls_fail(r->ctx, GLS_ERR_FILE, "%s: cannot seek: %s", path, strerror(errno));
        GLS_TRY(start_digest(r));
        return start_unpacking(r);
    }
    /* A pipe may hand out its first bytes one by one. */
    while (r->in_end < 6) {
        ssize_t got = read(r->fd, r->in + r->in_end, BUFFER - r->in_end);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return gls_fail(r->ctx, GLS_ERR_FILE, "%s: cannot read: %s", r->path, strerror(errno));
        if (got == 0) break;
        r->in_end += (size_t)got;
    }
    GLS_TRY(start_digest(r));
    take(r, r->in, r->in_end);
    if (r->in_end >= 2 && memcmp(r->in, "\x1f\x8b", 2) == 0) r->packing = GZIP;
    if (r->in_end >= 6 && memcmp(r->in,
                                 "\xfd"
                                 "7zXZ\0",
                                 6) == 0)
        r->packing = XZ;
    return start_unpacking(r);
}

static gls_status open_reader(gls_context *ctx, const char *path, const gls_reader_section *section, gls_reader **out) {
    *out = NULL;
    gls_reader *r = gls_alloc(ctx, 1, sizeof *r);
    if (!r) return GLS_ERR_MEMORY;
    r->ctx = ctx;
    r->fd = -1;
    r->path = gls_strdup(ctx, section ? section->name : path);
    if (section) {
        r->section = true;
        r->packing = section->deflated ? DEFLATE : PLAIN;
        r->left = section->bytes;
        r->size = section->size;
        r->crc_wanted = section->crc;
    }
    r->in = gls_alloc(ctx, BUFFER, 1);
    r->out = gls_alloc(ctx, BUFFER, 1);
    gls_status status = r->path && r->in && r->out ? open_file(r, path, section ? section->offset : 0) : GLS_ERR_MEMORY;
    if (status != GLS_OK) {
        gls_reader_close(r);
        return status;
    }
    *out = r;
    return GLS_OK;
}

gls_status gls_reader_open(gls_context *ctx, const char *path, gls_reader **out) {
    return open_reader(ctx, path, NULL, out);
}

gls_status gls_reader_open_section(gls_context *ctx, const char *path, const gls_reader_section *section,
                                   gls_reader **out) {
    return open_reader(ctx, path, section, out);
}

void gls_reader_close(gls_reader *r) {
    if (!r) return;
    if (r->zlib_ready) inflateEnd(&r->zlib);
    if (r->lzma.allocator) lzma_end(&r->lzma);
    if (r->fd >= 0) close(r->fd);
    end_digest(r);
    gls_free(r->ctx, r->line);
    gls_free(r->ctx, r->out);
    gls_free(r->ctx, r->in);
    gls_free(r->ctx, r->path);
    gls_free(r->ctx, r);
}

bool gls_reader_packed(const gls_reader *r) {
    return r->packing != PLAIN;
}

gls_status gls_reader_note(gls_context *ctx, const char *path) {
    gls_reader *r;
    if (!ctx->digest) return GLS_OK;
    GLS_TRY(gls_reader_open(ctx, path, &r));
    gls_status status = GLS_OK;
    while (status == GLS_OK && !r->in_done) { /* as they are, whatever the first ones look like */
        r->in_begin = r->in_end;
        status = fill_in(r);
    }
    gls_reader_close(r);
    return status;
}

gls_status gls_reader_read(gls_reader *r, void *to, int64_t n, int64_t *got) {
    *got = 0;
    while (*got < n) {
        GLS_TRY(fill_out(r));
        size_t some = r->out_end - r->out_begin;
        if (some == 0) break;
        if ((int64_t)some > n - *got) some = (size_t)(n - *got);
        memcpy((char *)to + *got, r->out + r->out_begin, some);
        r->out_begin += some;
        r->offset += (int64_t)some;
        *got += (int64_t)some;
    }
    return GLS_OK;
}

gls_status gls_reader_exact(gls_reader *r, void *to, int64_t n, const char *what) {
    int64_t got, begin = r->offset;
    GLS_TRY(gls_reader_read(r, to, n, &got));
    if (got == n) return GLS_OK;
    return gls_fail(r->ctx, GLS_ERR_INPUT, "%s: byte %lld: expected %lld bytes of %s, found %lld", r->path,
                    (long long)begin, (long long)n, what, (long long)got);
}

static gls_status reserve_line(gls_reader *r, int64_t room) {
    if (room <= r->line_room) return GLS_OK;
    if (room < 2 * r->line_room) room = 2 * r->line_room;
    char *grown = gls_resize(r->ctx, r->line, room, 1);
    if (!grown) return GLS_ERR_MEMORY;
    r->line = grown;
    r->line_room = room;
    return GLS_OK;
}

/* A line may span several buffers, so its pieces are collected in r->line. */
gls_status gls_reader_line(gls_reader *r, int64_t limit, char **line, int64_t *length) {
    *line = NULL;
    *length = 0;
    int64_t used = 0;
    bool ended = false;
    while (!ended) {
        GLS_TRY(fill_out(r));
        size_t some = r->out_end - r->out_begin;
        if (some == 0) break;
        const unsigned char *begin = r->out + r->out_begin, *end = memchr(begin, '\n', some);
        ended = end != NULL;
        if (end) some = (size_t)(end - begin);
        if ((int64_t)some > limit - used)
            return gls_fail(r->ctx, GLS_ERR_INPUT, "%s:%lld: the line is longer than %lld bytes", r->path,
                            (long long)(r->line_number + 1), (long long)limit);
        GLS_TRY(reserve_line(r, used + (int64_t)some + 1));
        memcpy(r->line + used, begin, some);
        used += (int64_t)some;
        r->out_begin += some + ended;
        r->offset += (int64_t)some + ended;
    }
    if (used == 0 && !ended) return GLS_OK;
    if (used > 0 && ended && r->line[used - 1] == '\r') used--;
    GLS_TRY(reserve_line(r, 1));
    r->line[used] = '\0';
    r->line_number++;
    *line = r->line;
    *length = used;
    return GLS_OK;
}

const char *gls_reader_path(const gls_reader *r) {
    return r->path;
}
int64_t gls_reader_line_number(const gls_reader *r) {
    return r->line_number;
}

bool gls_reader_at_end(gls_reader *r) {
    return fill_out(r) == GLS_OK && r->out_begin == r->out_end;
}

gls_status gls_reader_rest(gls_reader *r, int64_t limit, char **data, int64_t *size) {
    for (int64_t room = BUFFER;; room *= 2) {
        if (room > limit) room = limit;
        char *grown = gls_resize(r->ctx, *data, room + 1, 1);
        if (!grown) return GLS_ERR_MEMORY;
        *data = grown;
        int64_t got;
        GLS_TRY(gls_reader_read(r, *data + *size, room - *size, &got));
        *size += got;
        if (*size < room || gls_reader_at_end(r)) return r->status;
        if (room == limit)
            return gls_fail(r->ctx, GLS_ERR_INPUT, "%s: larger than the %lld bytes allowed", r->path, (long long)limit);
    }
}

gls_status gls_read_file(gls_context *ctx, const char *path, int64_t limit, char **data, int64_t *size) {
    *data = NULL;
    *size = 0;
    gls_reader *r;
    GLS_TRY(gls_reader_open(ctx, path, &r));
    gls_status status = gls_reader_rest(r, limit, data, size);
    gls_reader_close(r);
    if (status != GLS_OK) {
        gls_free(ctx, *data);
        *data = NULL;
        *size = 0;
        return status;
    }
    (*data)[*size] = '\0';
    return GLS_OK;
}
