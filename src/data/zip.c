/* The directory of a zip archive (PKWARE's APPNOTE 6.3.9, with the 64-bit sizes that NumPy always writes). Only offsets
 * and sizes are taken from it: what they lead to is checked as it is read. */
#include "data/zip.h"
#include "base/arith.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    END = 22,                 /* bytes of the end record, behind which is a comment */
    COMMENT = 65535,          /* its most bytes */
    LOCATOR = 20,             /* of the 64-bit end record, in front of the end record */
    END64 = 56,               /* that record */
    ENTRY = 46,               /* of the directory, without name, extra fields and comment */
    LOCAL = 30,               /* header in front of a member's data, without name and extra fields */
    DIRECTORY_LIMIT = 1 << 26 /* bytes */
};

typedef struct archive {
    gls_context *ctx;
    const char *path;
    int fd;
    int64_t size;
    unsigned char *directory;
    int64_t bytes, entries;
} archive;

static uint64_t number(const unsigned char *p, int bytes) {
    uint64_t n = 0;
    for (int k = 0; k < bytes; k++) n |= (uint64_t)p[k] << (8 * k);
    return n;
}

static gls_status broken(const archive *a, const char *what) {
    return gls_fail(a->ctx, GLS_ERR_INPUT, "%s: no zip archive: %s", a->path, what);
}

static gls_status read_at(const archive *a, uint64_t offset, void *to, int64_t bytes) {
    if (offset > (uint64_t)a->size || bytes > a->size - (int64_t)offset) return broken(a, "it is cut off");
    for (int64_t have = 0; have < bytes;) {
        ssize_t got = pread(a->fd, (char *)to + have, (size_t)(bytes - have), (off_t)offset + have);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return gls_fail(a->ctx, GLS_ERR_FILE, "%s: cannot read: %s", a->path, strerror(errno));
        if (got == 0) return broken(a, "it is cut off");
        have += got;
    }
    return GLS_OK;
}

/* Where the directory is: from the end record, or the 64-bit one where that says so. */
static gls_status find_directory(archive *a, const unsigned char *tail, int64_t at, uint64_t *offset) {
    const unsigned char *end = tail + at;
    uint64_t entries = number(end + 10, 2), size = number(end + 12, 4);
    *offset = number(end + 16, 4);
    if (entries == 0xffff || size == 0xffffffff || *offset == 0xffffffff) {
        unsigned char end64[END64];
        const unsigned char *locator = end - LOCATOR;
        if (at < LOCATOR || memcmp(locator, "PK\6\7", 4) != 0) return broken(a, "its 64-bit end record is missing");
        GLS_TRY(read_at(a, number(locator + 8, 8), end64, END64));
        if (memcmp(end64, "PK\6\6", 4) != 0) return broken(a, "its 64-bit end record is not where it should be");
        entries = number(end64 + 32, 8);
        size = number(end64 + 40, 8);
        *offset = number(end64 + 48, 8);
    }
    if (size > DIRECTORY_LIMIT || entries > size / ENTRY) return broken(a, "its directory has an impossible size");
    a->bytes = (int64_t)size;
    a->entries = (int64_t)entries;
    return GLS_OK;
}

static gls_status read_directory(archive *a) {
    int64_t bytes = gls_least(a->size, LOCATOR + END + COMMENT), at = bytes - END;
    unsigned char *tail = gls_alloc(a->ctx, bytes, 1);
    if (!tail) return GLS_ERR_MEMORY;
    uint64_t offset = 0;
    gls_status status = read_at(a, (uint64_t)(a->size - bytes), tail, bytes);
    while (at >= 0 && memcmp(tail + at, "PK\5\6", 4) != 0) at--;
    if (status == GLS_OK && at < 0) status = broken(a, "it has no end record; is it cut off?");
    if (status == GLS_OK) status = find_directory(a, tail, at, &offset);
    gls_free(a->ctx, tail);
    GLS_TRY(status);
    a->directory = gls_alloc(a->ctx, a->bytes + 1, 1);
    return a->directory ? read_at(a, offset, a->directory, a->bytes) : GLS_ERR_MEMORY;
}

/* Sizes and the offset that do not fit into 32 bits stand in an extra field, in this order. */
static gls_status widen(const archive *a, const unsigned char *extra, int64_t bytes, uint64_t *value[3]) {
    for (; bytes >= 4; bytes -= 4 + (int64_t)number(extra + 2, 2), extra += 4 + number(extra + 2, 2)) {
        int64_t length = (int64_t)number(extra + 2, 2), used = 0;
        if (length > bytes - 4) break;
        if (number(extra, 2) != 1) continue;
        for (int k = 0; k < 3; k++) {
            if (*value[k] != 0xffffffff) continue;
            if (used + 8 > length) return broken(a, "a 64-bit size is missing");
            *value[k] = number(extra + 4 + used, 8);
            used += 8;
        }
        return GLS_OK;
    }
    return GLS_OK;
}

static gls_status keep_member(const archive *a, const unsigned char *entry, int64_t name_length, int64_t extra_length,
                              gls_reader_section *member) {
    uint64_t flags = number(entry + 8, 2), method = number(entry + 10, 2), local = number(entry + 42, 4);
    uint64_t size = number(entry + 24, 4), packed = number(entry + 20, 4), *wide[] = {&size, &packed, &local};
    char *name = gls_alloc(a->ctx, name_length + 1, 1);
    member->name = name;
    if (!name) return GLS_ERR_MEMORY;
    memcpy(name, entry + ENTRY, (size_t)name_length);
    GLS_TRY(widen(a, entry + ENTRY + name_length, extra_length, wide));
    if (flags & 1) return gls_fail(a->ctx, GLS_ERR_INPUT, "%s: '%.80s' is encrypted", a->path, name);
    if (method != 0 && method != 8)
        return gls_fail(a->ctx, GLS_ERR_INPUT, "%s: '%.80s' is packed by method %d, expected deflate or none", a->path,
                        name, (int)method);
    unsigned char header[LOCAL];
    GLS_TRY(read_at(a, local, header, LOCAL));
    if (memcmp(header, "PK\3\4", 4) != 0) return broken(a, "a member is not where the directory says");
    uint64_t begin = local + LOCAL + number(header + 26, 2) + number(header + 28, 2);
    if (begin > (uint64_t)a->size || packed > (uint64_t)a->size - begin || size > INT64_MAX)
        return broken(a, "a member is cut off");
    member->offset = (int64_t)begin;
    member->bytes = (int64_t)packed;
    member->size = (int64_t)size;
    member->deflated = method == 8;
    member->crc = (uint32_t)number(entry + 16, 4);
    return GLS_OK;
}

static gls_status keep_members(const archive *a, gls_zip *out) {
    const unsigned char *entry = a->directory;
    int64_t left = a->bytes;
    out->member = gls_alloc(a->ctx, a->entries, sizeof *out->member);
    if (!out->member) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < a->entries; i++) {
        if (left < ENTRY || memcmp(entry, "PK\1\2", 4) != 0) return broken(a, "its directory is damaged");
        int64_t name = (int64_t)number(entry + 28, 2), extra = (int64_t)number(entry + 30, 2);
        int64_t all = ENTRY + name + extra + (int64_t)number(entry + 32, 2);
        if (all > left) return broken(a, "its directory is damaged");
        out->count++;
        GLS_TRY(keep_member(a, entry, name, extra, &out->member[i]));
        entry += all;
        left -= all;
    }
    return GLS_OK;
}

gls_status gls_zip_open(gls_context *ctx, const char *path, gls_zip *out) {
    archive a = {.ctx = ctx, .path = path};
    struct stat info;
    *out = (gls_zip){.ctx = ctx};
    do a.fd = open(path, O_RDONLY | O_CLOEXEC);
    while (a.fd < 0 && errno == EINTR);
    if (a.fd < 0 || fstat(a.fd, &info) != 0) {
        int code = errno;
        if (a.fd >= 0) close(a.fd);
        return gls_fail(ctx, GLS_ERR_FILE, "%s: cannot open: %s", path, strerror(code));
    }
    a.size = info.st_size;
    out->path = gls_strdup(ctx, path);
    gls_status status = out->path ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK && !S_ISREG(info.st_mode))
        status = gls_fail(ctx, GLS_ERR_FILE, "%s: expected a file that can be read from its end", path);
    if (status == GLS_OK) status = a.size < END ? broken(&a, "it is cut off") : read_directory(&a);
    if (status == GLS_OK) status = keep_members(&a, out);
    close(a.fd);
    gls_free(ctx, a.directory);
    if (status != GLS_OK) gls_zip_close(out);
    return status;
}

void gls_zip_close(gls_zip *zip) {
    for (int64_t i = 0; i < zip->count; i++) gls_free(zip->ctx, (char *)zip->member[i].name);
    gls_free(zip->ctx, zip->member);
    gls_free(zip->ctx, zip->path);
    *zip = (gls_zip){.ctx = zip->ctx};
}

gls_status gls_zip_read(const gls_zip *zip, int64_t member, gls_reader **out) {
    gls_reader_section section = zip->member[member];
    char *name = gls_sprintf(zip->ctx, "%s(%s)", zip->path, section.name);
    *out = NULL;
    if (!name) return GLS_ERR_MEMORY;
    section.name = name;
    gls_status status = gls_reader_open_section(zip->ctx, zip->path, &section, out);
    gls_free(zip->ctx, name);
    return status;
}
