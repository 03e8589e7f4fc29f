/* A file is written under a temporary name in its own folder (a rename does not cross file systems) and takes its name
 * once everything has reached the disk. The first failure is kept, and every later call returns it. */
#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ATTEMPTS: a killed process of the same number may have left temporaries behind. */
enum { BUFFER = 1 << 16, ATTEMPTS = 100 };

struct gls_writer {
    gls_context *ctx;
    char *path, *temporary; /* temporary NULL: a device or a pipe is written to as it is */
    int fd;
    bool exists;       /* the temporary is there, for us to remove */
    gls_status status; /* of the first failure; stays */
    size_t used;
    char buffer[BUFFER];
};

static gls_status fail(gls_writer *w, const char *what) {
    if (w->status == GLS_OK)
        w->status = gls_fail(w->ctx, GLS_ERR_FILE, "%s: cannot %s: %s", w->path, what, strerror(errno));
    return w->status;
}

/* Length of the folder part, its slash included. */
static size_t folder_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

static gls_status open_temporary(gls_writer *w) {
    size_t folder = folder_length(w->path);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        gls_free(w->ctx, w->temporary);
        w->temporary =
            gls_sprintf(w->ctx, "%.*s.%s.tmp%ld.%d", (int)folder, w->path, w->path + folder, (long)getpid(), attempt);
        if (!w->temporary) return GLS_ERR_MEMORY;
        w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (w->fd >= 0) {
            w->exists = true;
            return GLS_OK;
        }
        if (errno != EEXIST && errno != EINTR) break;
    }
    return fail(w, "create");
}

/* The file that a link names, so that a rename replaces that and not the link; from gls_alloc. */
static char *follow(gls_context *ctx, const char *path) {
    struct stat info;
    char *real = lstat(path, &info) == 0 && S_ISLNK(info.st_mode) ? realpath(path, NULL) : NULL;
    char *copy = gls_strdup(ctx, real ? real : path);
    free(real);
    return copy;
}

/* What is there and is no file cannot be replaced by one. */
static gls_status open_path(gls_writer *w) {
    struct stat info;
    if (stat(w->path, &info) != 0 || S_ISREG(info.st_mode)) return open_temporary(w);
    if (S_ISDIR(info.st_mode))
        return w->status = gls_fail(w->ctx, GLS_ERR_FILE, "%s: expected the name of a file, found a folder", w->path);
    w->fd = open(w->path, O_WRONLY | O_CLOEXEC);
    return w->fd >= 0 ? GLS_OK : fail(w, "open");
}

gls_status gls_writer_open(gls_context *ctx, const char *path, gls_writer **out) {
    *out = NULL;
    gls_writer *w = gls_alloc(ctx, 1, sizeof *w);
    if (!w) return GLS_ERR_MEMORY;
    w->ctx = ctx;
    w->fd = -1;
    w->path = follow(ctx, path);
    gls_status status = w->path ? open_path(w) : GLS_ERR_MEMORY;
    if (status != GLS_OK) {
        gls_writer_abort(w);
        return status;
    }
    *out = w;
    return GLS_OK;
}

static gls_status write_out(gls_writer *w, const char *data, size_t n) {
    while (n > 0 && w->status == GLS_OK) {
        ssize_t put = write(w->fd, data, n);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return fail(w, "write");
        data += put;
        n -= (size_t)put;
    }
    return w->status;
}

static gls_status flush(gls_writer *w) {
    size_t used = w->used;
    w->used = 0;
    return write_out(w, w->buffer, used);
}

gls_status gls_writer_write(gls_writer *w, const void *data, int64_t n) {
    if (w->status != GLS_OK || n <= 0) return w->status;
    if ((size_t)n > BUFFER - w->used) GLS_TRY(flush(w));
    if (n >= BUFFER) return write_out(w, data, (size_t)n);
    memcpy(w->buffer + w->used, data, (size_t)n);
    w->used += (size_t)n;
    return GLS_OK;
}

gls_status gls_writer_printf(gls_writer *w, const char *format, ...) {
    if (w->status != GLS_OK) return w->status;
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    char text[1024]; /* most texts; a longer one is formatted again, into memory of its size */
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    gls_status status;
    if (length < 0) {
        status = fail(w, "format");
    } else if ((size_t)length < sizeof text) {
        status = gls_writer_write(w, text, length);
    } else {
        char *longer = gls_alloc(w->ctx, (int64_t)length + 1, 1);
        if (longer) {
            vsnprintf(longer, (size_t)length + 1, format, again);
            status = gls_writer_write(w, longer, length);
            gls_free(w->ctx, longer);
        } else {
            status = w->status = GLS_ERR_MEMORY;
        }
    }
    va_end(again);
    return status;
}

/* A rename is on the disk once its folder is. Some file systems cannot sync a folder: that is not an error. */
static void sync_folder(gls_writer *w) {
    size_t folder = folder_length(w->path);
    char *name = folder ? gls_sprintf(w->ctx, "%.*s", (int)folder, w->path) : gls_strdup(w->ctx, ".");
    if (!name) return;
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    gls_free(w->ctx, name);
}

gls_status gls_writer_commit(gls_writer *w) {
    flush(w);
    if (w->status == GLS_OK && fsync(w->fd) != 0 && errno != EINVAL) fail(w, "write");
    int fd = w->fd;
    w->fd = -1;
    if (close(fd) != 0) fail(w, "close");
    if (w->status == GLS_OK && w->temporary) {
        if (rename(w->temporary, w->path) == 0) {
            w->exists = false;
            sync_folder(w);
        } else {
            fail(w, "rename into place");
        }
    }
    gls_status status = w->status;
    gls_writer_abort(w);
    return status;
}

void gls_writer_abort(gls_writer *w) {
    if (!w) return;
    if (w->fd >= 0) close(w->fd);
    if (w->exists) unlink(w->temporary);
    gls_free(w->ctx, w->temporary);
    gls_free(w->ctx, w->path);
    gls_free(w->ctx, w);
}

/* ".NAME.tmpPROCESS.ATTEMPT", as open_temporary names them. */
static bool is_temporary(const char *name) {
    const char *end = *name == '.' ? strstr(name + 1, ".tmp") : NULL;
    for (const char *later = end; later; later = strstr(later + 1, ".tmp")) end = later;
    if (!end) return false;
    end += strlen(".tmp");
    size_t process = strspn(end, "0123456789");
    if (!process || end[process] != '.') return false;
    end += process + 1;
    size_t attempt = strspn(end, "0123456789");
    return attempt && !end[attempt];
}

void gls_writer_clear(gls_context *ctx, const char *folder) {
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        char *path = is_temporary(e->d_name) ? gls_sprintf(ctx, "%s/%s", folder, e->d_name) : NULL;
        if (path) unlink(path);
        gls_free(ctx, path);
    }
    if (dir) closedir(dir);
}

bool gls_file_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0;
}

gls_status gls_make_directory(gls_context *ctx, const char *path) {
    GLS_GIVEN(ctx, ctx, path);
    char *name = gls_strdup(ctx, path);
    if (!name) return GLS_ERR_MEMORY;
    gls_status status = GLS_OK;
    for (char *end = name + 1; name[0] && status == GLS_OK; end++) {
        if (*end != '/' && *end != '\0') continue;
        char kept = *end;
        *end = '\0';
        struct stat info;
        if (mkdir(name, 0777) != 0 && (errno != EEXIST || stat(name, &info) != 0 || !S_ISDIR(info.st_mode)))
            status = gls_fail(ctx, GLS_ERR_FILE, "%s: cannot make the directory %s: %s", path, name, strerror(errno));
        *end = kept;
        if (!kept) break;
    }
    gls_free(ctx, name);
    return status;
}

gls_status gls_write_text(gls_context *ctx, const char *path, const char *text) {
    GLS_GIVEN(ctx, ctx, path, text);
    gls_writer *writer;
    GLS_TRY(gls_writer_open(ctx, path, &writer));
    gls_status status = gls_writer_write(writer, text, (int64_t)strlen(text));
    if (status == GLS_OK) return gls_writer_commit(writer);
    gls_writer_abort(writer);
    return status;
}
