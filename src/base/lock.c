/* One owner of a folder: a lock on the folder itself, or on a file in it where folders have none (NFS). The system
 * drops it with the process, however that ends. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

/* Each further attempt follows a folder or file that its last owner took away while it was being made or locked. */
enum { ATTEMPTS = 100 };

struct gls_lock {
    gls_context *ctx;
    char *folder, *file; /* file: what is locked in the folder's place; NULL: the folder */
    size_t found;        /* bytes of the folder's path that were there before it was made */
    int fd;              /* -1: no lock is held */
};

typedef enum outcome { GOT, IN_USE, GONE, NO_LOCKS } outcome;

/* Bytes of the longest part of a path that exists. */
static size_t existing_part(char *path) {
    size_t length = strlen(path);
    for (size_t end = length; end > 0; end--) {
        if (path[end] && path[end] != '/') continue;
        char kept = path[end];
        path[end] = 0;
        bool there = gls_file_exists(path);
        path[end] = kept;
        if (there) return end;
    }
    return 0;
}

/* Whether the path still leads to what fd has open. */
static bool is_there(const char *path, int fd) {
    struct stat a, b;
    return !stat(path, &a) && !fstat(fd, &b) && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static outcome lock_path(gls_lock *l, const char *path, int flags) {
    int code, fd = open(path, flags | O_CLOEXEC, 0666);
    if (fd < 0) return errno == ENOENT ? GONE : NO_LOCKS;
    do code = flock(fd, LOCK_EX | LOCK_NB);
    while (code && errno == EINTR);
    int why = errno;
    if (!code && is_there(path, fd)) {
        l->fd = fd;
        return GOT;
    }
    close(fd);
    errno = why;
    return !code ? GONE : why == EWOULDBLOCK ? IN_USE : NO_LOCKS;
}

/* The folder, or else a file in it: NFS locks what is open for writing only, and no folder is. */
static outcome lock_once(gls_lock *l) {
    outcome found = lock_path(l, l->folder, O_RDONLY | O_DIRECTORY);
    if (found != NO_LOCKS) return found;
    char *file = gls_sprintf(l->ctx, "%s/.lock", l->folder);
    found = file ? lock_path(l, file, O_RDWR | O_CREAT) : NO_LOCKS;
    if (found == GOT)
        l->file = file;
    else
        gls_free(l->ctx, file);
    return found;
}

static gls_status lock(gls_lock *l) {
    outcome found = GONE;
    gls_status made = GLS_OK;
    for (int attempt = 0; attempt < ATTEMPTS && found == GONE; attempt++) {
        made = gls_make_directory(l->ctx, l->folder);
        if (made == GLS_OK) found = lock_once(l);
    }
    if (made != GLS_OK) return made;
    if (found == IN_USE)
        return gls_fail(l->ctx, GLS_ERR_ARGUMENT,
                        "%s: in use by another process; wait until it has ended, or choose another folder", l->folder);
    if (found == GONE) return gls_fail(l->ctx, GLS_ERR_FILE, "%s: disappears as often as it is made", l->folder);
    if (found == NO_LOCKS)
        gls_log(l->ctx, GLS_LOG_WARNING,
                "%s: its file system has no locks (%s), so nothing keeps a second process from writing there",
                l->folder, strerror(errno));
    return GLS_OK;
}

gls_status gls_lock_folder(gls_context *ctx, const char *path, gls_lock **out) {
    GLS_GIVEN(ctx, ctx, path, out);
    *out = NULL;
    gls_lock *l = gls_alloc(ctx, 1, sizeof *l);
    if (!l) return GLS_ERR_MEMORY;
    l->ctx = ctx;
    l->fd = -1;
    l->folder = gls_strdup(ctx, path);
    gls_status status = l->folder ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK) {
        l->found = existing_part(l->folder);
        status = lock(l);
    }
    if (status == GLS_OK)
        *out = l;
    else
        gls_lock_release(l);
    return status;
}

/* The folder, then each parent that was made for it; the first that is not empty ends this. */
static void remove_made(gls_lock *l) {
    for (size_t length = strlen(l->folder);;) {
        while (length > l->found && l->folder[length - 1] == '/') length--;
        l->folder[length] = 0;
        if (length <= l->found || rmdir(l->folder)) break;
        while (length > l->found && l->folder[length - 1] != '/') length--;
    }
}

/* What goes is removed while it is locked: see is_there. */
void gls_lock_release(gls_lock *l) {
    if (!l) return;
    if (l->file) unlink(l->file);
    if (l->fd >= 0) {
        remove_made(l);
        close(l->fd);
    }
    gls_free(l->ctx, l->file);
    gls_free(l->ctx, l->folder);
    gls_free(l->ctx, l);
}
