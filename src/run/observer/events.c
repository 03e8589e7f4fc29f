/* Protocol buffers by hand: the few messages of an event file, each record framed by its length and checksums. What
 * cannot be written is kept in mind until a flush tells it: figures do not end a run in the middle of a step. */
#include "run/observer/events.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Fields of the protocol's messages that are used (Event, SessionLog, Summary, Summary.Value, HistogramProto). */
enum { EVENT_WALL_TIME = 1, EVENT_STEP = 2, EVENT_VERSION = 3, EVENT_SUMMARY = 5, EVENT_SESSION_LOG = 7 };
enum { SESSION_STATUS = 1, SESSION_START = 1 };
enum { SUMMARY_VALUE = 1, VALUE_TAG = 1, VALUE_SIMPLE = 2, VALUE_HISTOGRAM = 5 };
enum {
    HISTOGRAM_MIN = 1,
    HISTOGRAM_MAX,
    HISTOGRAM_NUM,
    HISTOGRAM_SUM,
    HISTOGRAM_SQUARES,
    HISTOGRAM_LIMIT,
    HISTOGRAM_COUNT
};
enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

typedef struct message {
    uint8_t *bytes;
    int64_t size, capacity;
} message;

struct gls_events {
    gls_context *ctx;
    FILE *file;
    char *path;
    uint32_t crc[256];
    message value, summary, event; /* kept between records */
    gls_status failed;             /* of the first record that was lost; stays */
    int why;                       /* errno then */
};

static void crc_table(uint32_t table[256]) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++) c = c & 1 ? 0x82f63b78u ^ (c >> 1) : c >> 1;
        table[i] = c;
    }
}

static uint32_t masked_crc(const gls_events *events, const void *data, int64_t n) {
    const uint8_t *bytes = data;
    uint32_t c = 0xffffffffu;
    for (int64_t i = 0; i < n; i++) c = events->crc[(c ^ bytes[i]) & 255] ^ (c >> 8);
    c = ~c;
    return ((c >> 15) | (c << 17)) + 0xa282ead8u;
}

static gls_status put(gls_events *events, message *to, const void *data, int64_t n) {
    if (to->size + n > to->capacity) {
        int64_t capacity = 2 * (to->size + n) + 64;
        uint8_t *bytes = gls_resize(events->ctx, to->bytes, capacity, 1);
        if (!bytes) return GLS_ERR_MEMORY;
        to->bytes = bytes;
        to->capacity = capacity;
    }
    memcpy(to->bytes + to->size, data, (size_t)n);
    to->size += n;
    return GLS_OK;
}

static gls_status put_varint(gls_events *events, message *to, uint64_t x) {
    uint8_t bytes[10];
    int n = 0;
    do {
        bytes[n++] = (uint8_t)((x & 127) | (x > 127 ? 128 : 0));
        x >>= 7;
    } while (x);
    return put(events, to, bytes, n);
}

static gls_status put_tag(gls_events *events, message *to, int field, int wire) {
    return put_varint(events, to, (uint64_t)(field << 3 | wire));
}

static gls_status put_double(gls_events *events, message *to, int field, double x) {
    GLS_TRY(put_tag(events, to, field, WIRE_FIXED64));
    return put(events, to, &x, 8);
}

static gls_status put_bytes(gls_events *events, message *to, int field, const void *data, int64_t n) {
    GLS_TRY(put_tag(events, to, field, WIRE_BYTES));
    GLS_TRY(put_varint(events, to, (uint64_t)n));
    return put(events, to, data, n);
}

/* One framed record: length, its CRC, the event, its CRC. */
static gls_status write_event(gls_events *events) {
    uint64_t length = (uint64_t)events->event.size;
    uint32_t length_crc = masked_crc(events, &length, 8);
    uint32_t crc = masked_crc(events, events->event.bytes, events->event.size);
    bool good = fwrite(&length, 8, 1, events->file) == 1 && fwrite(&length_crc, 4, 1, events->file) == 1 &&
                fwrite(events->event.bytes, 1, (size_t)length, events->file) == length &&
                fwrite(&crc, 4, 1, events->file) == 1;
    return good ? GLS_OK : GLS_ERR_FILE;
}

static gls_status begin_event(gls_events *events, int64_t step) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    events->event.size = 0;
    GLS_TRY(put_double(events, &events->event, EVENT_WALL_TIME, (double)now.tv_sec + 1e-9 * (double)now.tv_nsec));
    GLS_TRY(put_tag(events, &events->event, EVENT_STEP, WIRE_VARINT));
    return put_varint(events, &events->event, (uint64_t)step);
}

/* Wraps events->value into a summary of one value and writes it. */
static gls_status end_value(gls_events *events, int64_t step) {
    events->summary.size = 0;
    GLS_TRY(put_bytes(events, &events->summary, SUMMARY_VALUE, events->value.bytes, events->value.size));
    GLS_TRY(begin_event(events, step));
    GLS_TRY(put_bytes(events, &events->event, EVENT_SUMMARY, events->summary.bytes, events->summary.size));
    return write_event(events);
}

static gls_status begin_value(gls_events *events, const char *tag) {
    events->value.size = 0;
    return put_bytes(events, &events->value, VALUE_TAG, tag, (int64_t)strlen(tag));
}

/* The run continues without further records; gls_events_flush reports what was lost. */
static void keep_failure(gls_events *events, gls_status status) {
    if (status == GLS_OK || events->failed != GLS_OK) return;
    events->failed = status;
    events->why = errno;
}

static gls_status write_scalar(gls_events *events, int64_t step, const char *tag, double value) {
    float single = (float)value;
    GLS_TRY(begin_value(events, tag));
    GLS_TRY(put_tag(events, &events->value, VALUE_SIMPLE, WIRE_FIXED32));
    GLS_TRY(put(events, &events->value, &single, 4));
    return end_value(events, step);
}

void gls_events_scalar(gls_events *events, int64_t step, const char *tag, double value) {
    keep_failure(events, write_scalar(events, step, tag, value));
}

static gls_status write_histogram(gls_events *events, int64_t step, const char *tag, int64_t buckets,
                                  const double *limit, const double *count) {
    double number = 0, sum = 0, squares = 0;
    for (int64_t i = 0; i < buckets; i++) {
        double middle = i ? (limit[i - 1] + limit[i]) / 2 : limit[i];
        number += count[i];
        sum += count[i] * middle;
        squares += count[i] * middle * middle;
    }
    message *histogram = &events->summary; /* free until end_value wraps the value */
    histogram->size = 0;
    GLS_TRY(put_double(events, histogram, HISTOGRAM_MIN, limit[0]));
    GLS_TRY(put_double(events, histogram, HISTOGRAM_MAX, limit[buckets - 1]));
    GLS_TRY(put_double(events, histogram, HISTOGRAM_NUM, number));
    GLS_TRY(put_double(events, histogram, HISTOGRAM_SUM, sum));
    GLS_TRY(put_double(events, histogram, HISTOGRAM_SQUARES, squares));
    GLS_TRY(put_bytes(events, histogram, HISTOGRAM_LIMIT, limit, 8 * buckets));
    GLS_TRY(put_bytes(events, histogram, HISTOGRAM_COUNT, count, 8 * buckets));
    GLS_TRY(begin_value(events, tag));
    GLS_TRY(put_bytes(events, &events->value, VALUE_HISTOGRAM, histogram->bytes, histogram->size));
    return end_value(events, step);
}

void gls_events_histogram(gls_events *events, int64_t step, const char *tag, int64_t buckets, const double *limit,
                          const double *count) {
    if (buckets > 0) keep_failure(events, write_histogram(events, step, tag, buckets, limit, count));
}

gls_status gls_events_flush(gls_events *events) {
    if (fflush(events->file)) keep_failure(events, GLS_ERR_FILE);
    if (events->failed == GLS_OK) return GLS_OK;
    return gls_fail(events->ctx, events->failed, "%s: cannot write: %s", events->path,
                    events->failed == GLS_ERR_MEMORY ? "out of memory" : strerror(events->why));
}

/* TensorBoard reads the files of a folder in the order of their names: that of their sessions. */
static gls_status open_file(gls_events *events, const char *folder) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    events->path = gls_sprintf(events->ctx, "%s/events.out.tfevents.%lld.%09ld.%ld.glissade", folder,
                               (long long)now.tv_sec, now.tv_nsec, (long)getpid());
    if (!events->path) return GLS_ERR_MEMORY;
    events->file = fopen(events->path, "wbx");
    return events->file ? GLS_OK : gls_fail(events->ctx, GLS_ERR_FILE, "%s: %s", events->path, strerror(errno));
}

static gls_status write_version(gls_events *events) {
    static const char version[] = "brain.Event:2";
    GLS_TRY(begin_event(events, 0));
    GLS_TRY(put_bytes(events, &events->event, EVENT_VERSION, version, (int64_t)sizeof version - 1));
    return write_event(events);
}

static gls_status write_start(gls_events *events, int64_t first) {
    events->value.size = 0;
    GLS_TRY(put_tag(events, &events->value, SESSION_STATUS, WIRE_VARINT));
    GLS_TRY(put_varint(events, &events->value, SESSION_START));
    GLS_TRY(begin_event(events, first));
    GLS_TRY(put_bytes(events, &events->event, EVENT_SESSION_LOG, events->value.bytes, events->value.size));
    return write_event(events);
}

gls_status gls_events_create(gls_context *ctx, const char *folder, int64_t first, gls_events **out) {
    gls_events *events = gls_alloc(ctx, 1, sizeof *events);
    if (!events) return GLS_ERR_MEMORY;
    events->ctx = ctx;
    crc_table(events->crc);
    gls_status status = open_file(events, folder);
    if (status == GLS_OK) status = write_version(events);
    if (status == GLS_OK) status = write_start(events, first);
    if (status == GLS_OK)
        *out = events;
    else
        gls_events_destroy(events);
    return status;
}

void gls_events_destroy(gls_events *events) {
    if (!events) return;
    gls_context *ctx = events->ctx;
    if (events->file) fclose(events->file);
    gls_free(ctx, events->value.bytes);
    gls_free(ctx, events->summary.bytes);
    gls_free(ctx, events->event.bytes);
    gls_free(ctx, events->path);
    gls_free(ctx, events);
}
