#include "support.h"

#include "base/io.h"

#include <lzma.h>
#include <pthread.h>
#include <sys/stat.h>
#include <zlib.h>

enum { SIZE = 300000 };

typedef struct fixture {
    counting memory;
    gls_context *ctx;
    char directory[512], path[600];
    unsigned char *plain;
} fixture;

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    f->ctx = counting_context(&f->memory, 1);
    snprintf(f->directory, sizeof f->directory, "%s", scratch_directory());
    snprintf(f->path, sizeof f->path, "%s/file", f->directory);
    f->plain = malloc(SIZE);
    gls_random random = gls_random_create(1, "reader", 0, 0);
    for (int i = 0; i < SIZE; i++) f->plain[i] = (unsigned char)gls_random_below(&random, i < SIZE / 2 ? 256 : 4);
    f->plain[0] = 'x'; /* no magic by accident */
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    unlink(f->path);
    rmdir(f->directory);
    free(f->plain);
    counting_end(&f->memory, f->ctx);
    free(f);
    return 0;
}

/* A gzip member of data; the caller frees. */
static unsigned char *gzip(const unsigned char *data, size_t n, size_t *size) {
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = n + n / 10 + 1000;
    unsigned char *out = malloc(room);
    z.next_in = (unsigned char *)data;
    z.avail_in = (uInt)n;
    z.next_out = out;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    *size = z.total_out;
    deflateEnd(&z);
    return out;
}

static unsigned char *xz(const unsigned char *data, size_t n, size_t *size) {
    size_t room = n + n / 10 + 1000;
    unsigned char *out = malloc(room);
    *size = 0;
    assert_int_equal(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, NULL, data, n, out, size, room), LZMA_OK);
    return out;
}

typedef unsigned char *(*pack_fn)(const unsigned char *data, size_t n, size_t *size);
static const pack_fn packs[] = {gzip, xz};

/* Reads in pieces of many sizes and compares with plain[0, n). */
static void check_content(fixture *f, int64_t n) {
    gls_reader *r;
    assert_int_equal(gls_reader_open(f->ctx, f->path, &r), GLS_OK);
    static const int64_t pieces[] = {1, 10, 0, 1000, 70000, 3, 65536};
    static unsigned char to[SIZE];
    int64_t at = 0, got = 1;
    for (int i = 0; got > 0 || pieces[(i + 6) % 7] == 0; i++) {
        assert_int_equal(gls_reader_read(r, to, pieces[i % 7], &got), GLS_OK);
        assert_true(at + got <= n);
        assert_memory_equal(to, f->plain + at, (size_t)got);
        if (got < pieces[i % 7]) assert_int_equal(at + got, n);
        at += got;
    }
    assert_int_equal(at, n);
    assert_true(gls_reader_at_end(r));
    gls_reader_close(r);
}

static void plain_files_of_any_size(void **state) {
    fixture *f = *state;
    static const int sizes[] = {0, 1, 2, 5, 6, 65535, 65536, 65537, SIZE};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        write_bytes(f->path, f->plain, (size_t)sizes[i]);
        check_content(f, sizes[i]);
    }
}

static void packed_files_are_known_by_content(void **state) {
    fixture *f = *state;
    static const int sizes[] = {0, 1, 65536, SIZE};
    for (int p = 0; p < 2; p++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            size_t size;
            unsigned char *packed = packs[p](f->plain, (size_t)sizes[i], &size);
            write_bytes(f->path, packed, size);
            check_content(f, sizes[i]);
            free(packed);
        }
}

/* Two streams one after another, and the zeros that pad them, are one file. */
static void concatenated_streams_are_one(void **state) {
    fixture *f = *state;
    for (int p = 0; p < 2; p++)
        for (int padding = 0; padding < 2; padding++) {
            size_t a, b;
            unsigned char *first = packs[p](f->plain, 100000, &a), *second = packs[p](f->plain + 100000, 50000, &b);
            unsigned char *both = calloc(1, a + b + 512);
            memcpy(both, first, a);
            memcpy(both + a, second, b);
            write_bytes(f->path, both, a + b + (padding ? 512 : 0));
            check_content(f, 150000);
            free(first);
            free(second);
            free(both);
        }
}

static gls_status read_all(fixture *f) {
    char *data;
    int64_t size;
    gls_status status = gls_read_file(f->ctx, f->path, 1 << 22, &data, &size);
    gls_free(f->ctx, data);
    return status;
}

static void damage_is_an_error_that_names_the_file(void **state) {
    fixture *f = *state;
    for (int p = 0; p < 2; p++) {
        size_t size;
        unsigned char *packed = packs[p](f->plain, 30000, &size);
        /* cut off anywhere */
        for (size_t cut = 7; cut < size; cut += cut < 40 || cut > size - 40 ? 1 : 997) {
            write_bytes(f->path, packed, cut);
            assert_int_equal(read_all(f), GLS_ERR_INPUT);
            assert_says(f->ctx, f->path);
            assert_says(f->ctx, "byte ");
        }
        /* a changed bit is noticed wherever a check covers it */
        for (size_t at = 12; at < size; at += 499) {
            packed[at] ^= 16;
            write_bytes(f->path, packed, size);
            assert_int_equal(read_all(f), GLS_ERR_INPUT);
            packed[at] ^= 16;
        }
        /* something else behind the end */
        packed = realloc(packed, size + 4);
        memcpy(packed + size, "more", 4);
        write_bytes(f->path, packed, size + 4);
        assert_int_equal(read_all(f), GLS_ERR_INPUT);
        free(packed);
    }
}

static void exact_says_what_is_missing(void **state) {
    fixture *f = *state;
    write_bytes(f->path, "abcdef", 6);
    gls_reader *r;
    char to[8];
    assert_int_equal(gls_reader_open(f->ctx, f->path, &r), GLS_OK);
    assert_int_equal(gls_reader_exact(r, to, 4, "a header"), GLS_OK);
    assert_memory_equal(to, "abcd", 4);
    assert_int_equal(gls_reader_exact(r, to, 4, "a label"), GLS_ERR_INPUT);
    char expected[800];
    snprintf(expected, sizeof expected, "%s: byte 4: expected 4 bytes of a label, found 2", f->path);
    assert_string_equal(gls_context_message(f->ctx), expected);
    gls_reader_close(r);
}

static void lines_end_in_lf_or_crlf(void **state) {
    fixture *f = *state;
    static const char text[] = "first\r\n\nthird\rstill\n\r\nno end";
    static const char *const expected[] = {"first", "", "third\rstill", "", "no end"};
    write_bytes(f->path, text, sizeof text - 1);
    gls_reader *r;
    char *line;
    int64_t length;
    assert_int_equal(gls_reader_open(f->ctx, f->path, &r), GLS_OK);
    assert_string_equal(gls_reader_path(r), f->path);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(gls_reader_line(r, 11, &line, &length), GLS_OK);
        assert_string_equal(line, expected[i]);
        assert_int_equal(length, strlen(expected[i]));
        assert_int_equal(gls_reader_line_number(r), i + 1);
    }
    assert_int_equal(gls_reader_line(r, 11, &line, &length), GLS_OK);
    assert_null(line);
    gls_reader_close(r);
    write_bytes(f->path, "", 0);
    assert_int_equal(gls_reader_open(f->ctx, f->path, &r), GLS_OK);
    assert_int_equal(gls_reader_line(r, 11, &line, &length), GLS_OK);
    assert_null(line);
    gls_reader_close(r);
}

static void lines_across_buffers_and_the_limit(void **state) {
    fixture *f = *state;
    enum { LONG = 200000 };
    char *text = malloc(LONG + 20);
    memset(text, 'y', LONG);
    memcpy(text + LONG, "\nshort\n", 7);
    write_bytes(f->path, text, LONG + 7);
    gls_reader *r;
    char *line;
    int64_t length;
    assert_int_equal(gls_reader_open(f->ctx, f->path, &r), GLS_OK);
    assert_int_equal(gls_reader_line(r, LONG, &line, &length), GLS_OK);
    assert_int_equal(length, LONG);
    assert_memory_equal(line, text, LONG);
    assert_int_equal(gls_reader_line(r, 4, &line, &length), GLS_ERR_INPUT);
    assert_says(f->ctx, ":2: the line is longer than 4 bytes");
    gls_reader_close(r);
    free(text);
}

static void whole_file_within_its_limit(void **state) {
    fixture *f = *state;
    char *data;
    int64_t size;
    static const int sizes[] = {0, 1, 65536, 131072, SIZE};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        write_bytes(f->path, f->plain, (size_t)sizes[i]);
        assert_int_equal(gls_read_file(f->ctx, f->path, sizes[i], &data, &size), GLS_OK);
        assert_int_equal(size, sizes[i]);
        assert_memory_equal(data, f->plain, (size_t)size);
        assert_int_equal(data[size], 0);
        gls_free(f->ctx, data);
        if (sizes[i] == 0) continue;
        assert_int_equal(gls_read_file(f->ctx, f->path, sizes[i] - 1, &data, &size), GLS_ERR_INPUT);
        assert_says(f->ctx, "larger than");
        assert_null(data);
    }
}

static void missing_files_and_directories(void **state) {
    fixture *f = *state;
    gls_reader *r;
    assert_int_equal(gls_reader_open(f->ctx, f->path, &r), GLS_ERR_FILE);
    assert_says(f->ctx, f->path);
    assert_says(f->ctx, "No such file");
    assert_null(r);
    assert_int_equal(gls_reader_open(f->ctx, f->directory, &r), GLS_ERR_FILE);
    assert_says(f->ctx, "found a directory");
}

static void *feed(void *user) {
    fixture *f = user;
    size_t size;
    unsigned char *packed = gzip(f->plain, 100000, &size);
    FILE *pipe = fopen(f->path, "wb");
    setvbuf(pipe, NULL, _IONBF, 0);
    for (size_t i = 0; i < 10; i++) fwrite(packed + i, 1, 1, pipe);
    fwrite(packed + 10, 1, size - 10, pipe);
    fclose(pipe);
    free(packed);
    return NULL;
}

static void pipes_may_drip(void **state) {
    fixture *f = *state;
    assert_int_equal(mkfifo(f->path, 0600), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, feed, f), 0);
    check_content(f, 100000);
    pthread_join(thread, NULL);
}

static char packed_path[2][600];

static gls_status read_packed(gls_context *ctx, int which) {
    char *data;
    int64_t size;
    gls_status status = gls_read_file(ctx, packed_path[which], 1 << 22, &data, &size);
    gls_free(ctx, data);
    return status;
}
static gls_status read_gzip(gls_context *ctx) {
    return read_packed(ctx, 0);
}
static gls_status read_xz(gls_context *ctx) {
    return read_packed(ctx, 1);
}

static void every_allocation_may_fail(void **state) {
    fixture *f = *state;
    for (int p = 0; p < 2; p++) {
        size_t size;
        unsigned char *packed = packs[p](f->plain, SIZE, &size);
        snprintf(packed_path[p], sizeof packed_path[p], "%s", f->path);
        write_bytes(f->path, packed, size);
        free(packed);
        fail_each_allocation(p ? read_xz : read_gzip);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(plain_files_of_any_size),
        TEST(packed_files_are_known_by_content),
        TEST(concatenated_streams_are_one),
        TEST(damage_is_an_error_that_names_the_file),
        TEST(exact_says_what_is_missing),
        TEST(lines_end_in_lf_or_crlf),
        TEST(lines_across_buffers_and_the_limit),
        TEST(whole_file_within_its_limit),
        TEST(missing_files_and_directories),
        TEST(pipes_may_drip),
        TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
