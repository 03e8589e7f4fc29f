/* Files whose bytes are read where they are wanted. They pass through the system's cache, which gives memory back when
 * others want it; nothing is mapped, so that a file which is cut off meanwhile is an error and no signal. */
#include "data/stored.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/arith.h"
#include "base/context.h"
#include "base/io.h"

struct gls_stored {
    gls_context *ctx;
    char *path; /* for messages */
    int fd;
    int64_t bytes; /* of a scratch file: those appended */
    bool scratch;
    struct timespec changed;
    char *late; /* [LATE] appended and not yet written */
    int64_t waiting;
};

/* Bytes that wait to be written; samples and their bytes; bytes that are announced at once, since the system cuts off
 * what is more than it reads ahead itself; a read that is part of a longer one; and what is announced behind it. */
enum { LATE = 1 << 20, SAMPLES = 64, SAMPLE = 4096, ANNOUNCED = 1 << 17, LONG = 1 << 16, AHEAD = 1 << 20 };

/* ---- how much may be held ---- */

void gls_source_bound(gls_context *ctx, gls_bound *bound) {
    if (ctx) ctx->bound = bound;
}

bool gls_bound_holds(const gls_context *ctx, int64_t bytes) {
    return !ctx->bound || bytes <= ctx->bound->left;
}

void gls_bound_take(gls_context *ctx, int64_t bytes) {
    if (ctx->bound) ctx->bound->left -= gls_least(bytes, ctx->bound->left);
}

/* ---- files ---- */

static gls_status fail(const gls_stored *s, gls_context *ctx) {
    return gls_fail(ctx, GLS_ERR_FILE, "%s: %s", s->path, strerror(errno));
}

static gls_status begin(gls_context *ctx, char *path, gls_stored **out) {
    gls_stored *s = *out = path ? gls_alloc(ctx, 1, sizeof *s) : NULL;
    if (!s) {
        gls_free(ctx, path);
        return GLS_ERR_MEMORY;
    }
    *s = (gls_stored){.ctx = ctx, .path = path, .fd = -1};
    return GLS_OK;
}

/* The system's own guesses are off: around a single row it would read some MB that nobody wants. */
static void read_as_asked(const gls_stored *s) {
    posix_fadvise(s->fd, 0, 0, POSIX_FADV_RANDOM);
}

/* Of a large file, samples that are spread over all of it stand for its bytes. */
static gls_status note(const gls_stored *s) {
    gls_context *ctx = s->ctx;
    if (!ctx->digest) return GLS_OK;
    char sample[SAMPLE];
    uint64_t own[2] = {0, (uint64_t)s->bytes};
    for (int64_t k = 0; k < SAMPLES; k++) {
        int64_t count = gls_least(SAMPLE, s->bytes), offset = (s->bytes - count) / (SAMPLES - 1) * k;
        GLS_TRY(gls_stored_read(s, ctx, offset, count, sample));
        own[0] = XXH3_64bits_withSeed(sample, (size_t)count, own[0]);
    }
    pthread_mutex_lock(&ctx->lock);
    ctx->digest->files++;
    ctx->digest->bytes += s->bytes;
    ctx->digest->hash += XXH3_64bits(own, sizeof own);
    pthread_mutex_unlock(&ctx->lock);
    return GLS_OK;
}

gls_status gls_stored_open(gls_context *ctx, const char *path, gls_stored **out) {
    struct stat info;
    GLS_TRY(begin(ctx, gls_strdup(ctx, path), out));
    gls_stored *s = *out;
    s->fd = open(path, O_RDONLY | O_CLOEXEC);
    gls_status status = s->fd < 0 || fstat(s->fd, &info) ? fail(s, ctx) : GLS_OK;
    if (status == GLS_OK) {
        s->bytes = info.st_size;
        s->changed = info.st_mtim;
        read_as_asked(s);
        status = note(s);
    }
    if (status == GLS_OK) return GLS_OK;
    gls_stored_close(s);
    *out = NULL;
    return status;
}

gls_status gls_stored_create(gls_context *ctx, const char *what, gls_stored **out) {
    const char *folder = ctx->bound ? ctx->bound->scratch : NULL;
    if (!folder) folder = getenv("TMPDIR");
    if (!folder || !*folder) folder = "/tmp";
    GLS_TRY(begin(ctx, gls_sprintf(ctx, "%s/glissade-XXXXXX", folder), out));
    gls_stored *s = *out;
    s->scratch = true;
    s->late = gls_alloc(ctx, LATE, 1);
    gls_status status = s->late ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK) s->fd = mkstemp(s->path);
    if (status == GLS_OK && (s->fd < 0 || fcntl(s->fd, F_SETFD, FD_CLOEXEC)))
        status = gls_fail(ctx, GLS_ERR_FILE,
                          "%s: its rows do not fit into data.memory, and no scratch file can be made in %s: %s "
                          "(data.scratch names another folder)",
                          what, folder, strerror(errno));
    if (s->fd >= 0) unlink(s->path);
    if (s->fd >= 0) read_as_asked(s);
    if (status == GLS_OK) return GLS_OK;
    gls_stored_close(s);
    *out = NULL;
    return status;
}

void gls_stored_close(gls_stored *s) {
    if (!s) return;
    if (s->fd >= 0) close(s->fd);
    gls_free(s->ctx, s->late);
    gls_free(s->ctx, s->path);
    gls_free(s->ctx, s);
}

/* Behind what was written; the cache need not keep it, since it is read much later. */
static gls_status write_late(gls_stored *s) {
    int64_t at = s->bytes - s->waiting;
    for (int64_t done = 0; done < s->waiting;) {
        ssize_t some = pwrite(s->fd, s->late + done, (size_t)(s->waiting - done), at + done);
        if (some < 0 && errno == EINTR) continue;
        if (some < 0) return fail(s, s->ctx);
        done += some;
    }
    s->waiting = 0;
    return GLS_OK;
}

gls_status gls_stored_append(gls_stored *s, const void *bytes, int64_t count) {
    const char *from = bytes;
    while (count > 0) {
        int64_t some = gls_least(count, LATE - s->waiting);
        memcpy(s->late + s->waiting, from, (size_t)some);
        s->waiting += some;
        s->bytes += some;
        from += some;
        count -= some;
        if (s->waiting == LATE) GLS_TRY(write_late(s));
    }
    return GLS_OK;
}

gls_status gls_stored_finish(gls_stored *s) {
    GLS_TRY(write_late(s));
    gls_free(s->ctx, s->late);
    s->late = NULL;
    return GLS_OK;
}

gls_status gls_stored_unchanged(const gls_stored *s, gls_context *ctx) {
    struct stat info;
    if (s->scratch) return GLS_OK;
    if (fstat(s->fd, &info)) return fail(s, ctx);
    if (info.st_size == s->bytes && info.st_mtim.tv_sec == s->changed.tv_sec &&
        info.st_mtim.tv_nsec == s->changed.tv_nsec)
        return GLS_OK;
    return gls_fail(ctx, GLS_ERR_INPUT,
                    "%s: the file was changed while its rows were in use (%lld bytes, %lld when it was opened); with "
                    "data.memory they are read from it all along",
                    s->path, (long long)info.st_size, (long long)s->bytes);
}

gls_status gls_stored_read(const gls_stored *s, gls_context *ctx, int64_t offset, int64_t bytes, void *to) {
    for (int64_t done = 0; done < bytes;) {
        ssize_t some = pread(s->fd, (char *)to + done, (size_t)(bytes - done), offset + done);
        if (some < 0 && errno == EINTR) continue;
        if (some < 0) return fail(s, ctx);
        if (some == 0) {
            GLS_TRY(gls_stored_unchanged(s, ctx));
            return gls_fail(ctx, GLS_ERR_INPUT, "%s: the file ends at byte %lld, but had %lld bytes when it was opened",
                            s->path, (long long)(offset + done), (long long)s->bytes);
        }
        done += some;
    }
    if (bytes >= LONG) gls_stored_expect(s, offset + bytes, AHEAD, true);
    return GLS_OK;
}

void gls_stored_expect(const gls_stored *s, int64_t offset, int64_t bytes, bool soon) {
    if (!soon) posix_fadvise(s->fd, offset, bytes, POSIX_FADV_DONTNEED);
    for (int64_t at = 0; soon && at < bytes; at += ANNOUNCED)
        posix_fadvise(s->fd, offset + at, gls_least(bytes - at, ANNOUNCED), POSIX_FADV_WILLNEED);
}

int64_t gls_stored_bytes(const gls_stored *s) {
    return s->bytes;
}

const char *gls_stored_path(const gls_stored *s) {
    return s->path;
}
