/* metrics.jsonl and measures.jsonl: one JSON object a line, appended. What a checkpoint knows of it is its length then;
 * what a killed run wrote after that is cut off on resuming, so that no step is there twice. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/observer/trace.h"

enum { ROOM = 1 << 16 }; /* bytes kept back: some hundred lines a write */

struct gls_trace {
    gls_context *ctx;
    char *path;
    int file;
    int64_t position; /* bytes in the file */
    size_t used, room;
    char *text;
    gls_status failed; /* of the first line that was lost; stays */
    int why;           /* errno then */
};

static gls_status fail(gls_trace *trace, const char *what) {
    return gls_fail(trace->ctx, GLS_ERR_FILE, "%s: cannot %s: %s", trace->path, what, strerror(errno));
}

static gls_status open_at(gls_trace *trace, int64_t position) {
    trace->file = open(trace->path, O_WRONLY | O_CREAT | O_CLOEXEC | (position ? 0 : O_TRUNC), 0666);
    struct stat info;
    if (trace->file < 0 || fstat(trace->file, &info)) return fail(trace, "open");
    if (info.st_size < position) {
        gls_log(trace->ctx, GLS_LOG_WARNING,
                "%s: shorter than when the checkpoint was written; some earlier metrics are missing", trace->path);
        position = info.st_size;
    }
    if (ftruncate(trace->file, position) || lseek(trace->file, position, SEEK_SET) < 0) return fail(trace, "cut");
    trace->position = position;
    return GLS_OK;
}

gls_status gls_trace_open(gls_context *ctx, const char *folder, const char *file, int64_t position, gls_trace **out) {
    *out = NULL;
    gls_trace *trace = gls_alloc(ctx, 1, sizeof *trace);
    if (!trace) return GLS_ERR_MEMORY;
    trace->ctx = ctx;
    trace->file = -1;
    trace->path = gls_sprintf(ctx, "%s/%s", folder, file);
    trace->room = ROOM;
    trace->text = gls_alloc(ctx, ROOM, 1);
    gls_status status = trace->path && trace->text ? open_at(trace, position) : GLS_ERR_MEMORY;
    if (status == GLS_OK)
        *out = trace;
    else
        gls_trace_close(trace);
    return status;
}

void gls_trace_close(gls_trace *trace) {
    if (!trace) return;
    if (trace->file >= 0) close(trace->file);
    gls_free(trace->ctx, trace->path);
    gls_free(trace->ctx, trace->text);
    gls_free(trace->ctx, trace);
}

static gls_status write_out(gls_trace *trace) {
    size_t done = 0;
    gls_status status = GLS_OK;
    while (done < trace->used && status == GLS_OK) {
        ssize_t n = write(trace->file, trace->text + done, trace->used - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            status = fail(trace, "write");
    }
    trace->position += (int64_t)done;
    trace->used -= done;
    memmove(trace->text, trace->text + done, trace->used);
    return status;
}

/* Room for `bytes` more. */
static gls_status make_room(gls_trace *trace, size_t bytes) {
    if (trace->used + bytes <= trace->room) return GLS_OK;
    GLS_TRY(write_out(trace));
    if (bytes <= trace->room) return GLS_OK;
    char *grown = gls_resize(trace->ctx, trace->text, (int64_t)bytes, 1);
    if (!grown) return GLS_ERR_MEMORY;
    trace->text = grown;
    trace->room = bytes;
    return GLS_OK;
}

void gls_trace_text(gls_trace *trace, const char *line) {
    size_t n = line ? strlen(line) : 0;
    /* Only one rank writes: what fails here is reported by the flush, where all ranks listen. */
    if (trace->failed == GLS_OK) trace->failed = line ? make_room(trace, n + 1) : GLS_ERR_MEMORY;
    if (trace->failed != GLS_OK) {
        if (!trace->why) trace->why = errno;
        return;
    }
    memcpy(trace->text + trace->used, line, n);
    trace->text[trace->used + n] = '\n';
    trace->used += n + 1;
}

void gls_trace_line(gls_trace *trace, int64_t step, double epoch, double seconds, const char *name, double value) {
    char number[32] = "null", line[512]; /* JSON has no NaN */
    if (isfinite(value)) snprintf(number, sizeof number, "%.9g", value);
    snprintf(line, sizeof line, "{\"step\":%lld,\"epoch\":%.6g,\"time\":%.3f,\"name\":\"%.200s\",\"value\":%s}",
             (long long)step, epoch, seconds, name, number);
    gls_trace_text(trace, line);
}

gls_status gls_trace_flush(gls_trace *trace, int64_t *position) {
    if (trace->failed != GLS_OK)
        return gls_fail(trace->ctx, trace->failed, "%s: cannot write: %s", trace->path,
                        trace->failed == GLS_ERR_MEMORY ? "out of memory" : strerror(trace->why));
    GLS_TRY(write_out(trace));
    *position = trace->position;
    return GLS_OK;
}
