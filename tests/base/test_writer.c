#include "support.h"

#include "base/io.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char directory[512], path[600];
static counting memory;
static gls_context *ctx;

static int setup(void **state) {
    ctx = counting_context(&memory, 1);
    snprintf(directory, sizeof directory, "%s", scratch_directory());
    snprintf(path, sizeof path, "%s/out", directory);
    return 0;
}

static int teardown(void **state) {
    unlink(path);
    assert_int_equal(rmdir(directory), 0); /* nothing was left behind */
    counting_end(&memory, ctx);
    return 0;
}

static int entries(void) {
    DIR *d = opendir(directory);
    int count = 0;
    while (readdir(d)) count++;
    closedir(d);
    return count - 2;
}

static void assert_content(const char *expected, size_t size) {
    char *data;
    int64_t found;
    assert_int_equal(gls_read_file(ctx, path, 1 << 24, &data, &found), GLS_OK);
    assert_int_equal(found, size);
    assert_memory_equal(data, expected, size);
    gls_free(ctx, data);
}

static void commit_puts_the_whole_file_in_place(void **state) {
    gls_writer *w;
    write_bytes(path, "old", 3);
    assert_int_equal(gls_writer_open(ctx, path, &w), GLS_OK);
    assert_int_equal(gls_writer_printf(w, "%d %s\n", 12, "lines"), GLS_OK);
    assert_int_equal(gls_writer_write(w, "abc", 3), GLS_OK);
    assert_content("old", 3); /* until then the old one stands */
    assert_int_equal(entries(), 2);
    assert_int_equal(gls_writer_commit(w), GLS_OK);
    assert_content("12 lines\nabc", 12);
    assert_int_equal(entries(), 1);
}

static void pieces_of_any_size_stay_in_order(void **state) {
    enum { SIZE = 400000 };
    char *data = malloc(SIZE + 1);
    for (int i = 0; i < SIZE; i++) data[i] = (char)('a' + i % 23);
    data[SIZE] = '\0';
    gls_writer *w;
    assert_int_equal(gls_writer_open(ctx, path, &w), GLS_OK);
    static const int pieces[] = {1, 70000, 0, 3000, 65536, 65535, 17, 130000};
    int at = 0;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(gls_writer_write(w, data + at, pieces[i]), GLS_OK);
        at += pieces[i];
    }
    assert_int_equal(gls_writer_printf(w, "%s", data + at), GLS_OK); /* longer than any buffer of printf */
    assert_int_equal(gls_writer_commit(w), GLS_OK);
    assert_content(data, SIZE);
    free(data);
}

static void abort_leaves_nothing(void **state) {
    gls_writer *w;
    write_bytes(path, "old", 3);
    assert_int_equal(gls_writer_open(ctx, path, &w), GLS_OK);
    gls_writer_printf(w, "half");
    gls_writer_abort(w);
    gls_writer_abort(NULL);
    assert_int_equal(entries(), 1);
    assert_content("old", 3);
}

/* A limit on the size of files stands for a full disk: the write fails part way. */
static void full_disk_keeps_the_old_file(void **state) {
    write_bytes(path, "old", 3);
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit, small;
    getrlimit(RLIMIT_FSIZE, &limit);
    small = limit;
    static char data[1 << 16];
    for (int late = 0; late < 2; late++) { /* noticed by a write, or only by the commit */
        small.rlim_cur = late ? 100 : 100000;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        gls_writer *w;
        assert_int_equal(gls_writer_open(ctx, path, &w), GLS_OK);
        gls_status status = GLS_OK;
        for (int i = 0; i < (late ? 1 : 5) && status == GLS_OK; i++)
            status = gls_writer_write(w, data, late ? 1000 : sizeof data);
        assert_int_equal(status, late ? GLS_OK : GLS_ERR_FILE);
        if (!late) assert_int_equal(gls_writer_printf(w, "more"), GLS_ERR_FILE);
        assert_int_equal(gls_writer_commit(w), GLS_ERR_FILE);
        setrlimit(RLIMIT_FSIZE, &limit);
        assert_says(ctx, path);
        assert_says(ctx, "cannot write");
        assert_int_equal(entries(), 1);
        assert_content("old", 3);
    }
    signal(SIGXFSZ, before);
}

static void places_that_cannot_be_written(void **state) {
    gls_writer *w;
    char bad[700];
    snprintf(bad, sizeof bad, "%s/none/out", directory);
    assert_int_equal(gls_writer_open(ctx, bad, &w), GLS_ERR_FILE);
    assert_null(w);
    assert_says(ctx, bad);
    snprintf(bad, sizeof bad, "%s/dir", directory);
    assert_int_equal(mkdir(bad, 0700), 0);
    assert_int_equal(gls_writer_open(ctx, bad, &w), GLS_ERR_FILE);
    assert_null(w);
    assert_says(ctx, "found a folder");
    assert_int_equal(rmdir(bad), 0);
}

/* A leftover of a killed process of the same number is stepped over, and left alone. */
static void leftovers_are_no_obstacle(void **state) {
    char left[800];
    snprintf(left, sizeof left, "%s/.out.tmp%ld.0", directory, (long)getpid());
    write_bytes(left, "x", 1);
    gls_writer *w;
    assert_int_equal(gls_writer_open(ctx, path, &w), GLS_OK);
    assert_int_equal(gls_writer_commit(w), GLS_OK);
    assert_content("", 0);
    assert_int_equal(unlink(left), 0);
}

static void file_in_the_working_directory(void **state) {
    char *here = getcwd(NULL, 0);
    assert_int_equal(chdir(directory), 0);
    gls_writer *w;
    assert_int_equal(gls_writer_open(ctx, "out", &w), GLS_OK);
    assert_int_equal(gls_writer_write(w, "x", 1), GLS_OK);
    assert_int_equal(gls_writer_commit(w), GLS_OK);
    assert_int_equal(chdir(here), 0);
    free(here);
    assert_content("x", 1);
}

static void directories_with_parents(void **state) {
    char deep[700], file[800];
    snprintf(deep, sizeof deep, "%s/a/b//c/", directory);
    assert_false(gls_file_exists(deep));
    assert_int_equal(gls_make_directory(ctx, deep), GLS_OK);
    assert_int_equal(gls_make_directory(ctx, deep), GLS_OK);
    assert_int_equal(gls_make_directory(ctx, "/"), GLS_OK);
    assert_true(gls_file_exists(deep));
    snprintf(file, sizeof file, "%s/a/f", directory);
    write_bytes(file, "", 0);
    snprintf(deep, sizeof deep, "%s/a/f/g", directory);
    assert_int_equal(gls_make_directory(ctx, deep), GLS_ERR_FILE);
    assert_says(ctx, deep);
    unlink(file);
    static const char *const made[] = {"a/b/c", "a/b", "a"};
    for (int i = 0; i < 3; i++) {
        snprintf(deep, sizeof deep, "%s/%s", directory, made[i]);
        assert_int_equal(rmdir(deep), 0);
    }
}

static gls_status write_long_line(gls_context *failing) {
    gls_writer *w;
    GLS_TRY(gls_writer_open(failing, path, &w));
    gls_status status = gls_writer_printf(w, "%2000d", 1);
    gls_status end = gls_writer_commit(w);
    assert_int_equal(end, status);
    return status == GLS_OK ? gls_make_directory(failing, directory) : status;
}

static void every_allocation_may_fail(void **state) {
    fail_each_allocation(write_long_line);
}

/* What is there and is no plain file stays what it is: a link's file is replaced, a pipe and a device are written to.
 */
static void links_pipes_and_devices_stay(void **state) {
    char target[600], pipe[600], got[8] = "";
    struct stat info;
    snprintf(target, sizeof target, "%s/target", directory);
    snprintf(pipe, sizeof pipe, "%s/pipe", directory);
    write_bytes(target, "old", 3);
    assert_int_equal(symlink("target", path), 0);
    assert_int_equal(gls_write_text(ctx, path, "new"), GLS_OK);
    assert_true(lstat(path, &info) == 0 && S_ISLNK(info.st_mode));
    assert_content("new", 3);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    int fd = open(pipe, O_RDONLY | O_NONBLOCK);
    assert_int_equal(gls_write_text(ctx, pipe, "abc"), GLS_OK);
    assert_int_equal(read(fd, got, sizeof got), 3);
    assert_string_equal(got, "abc");
    close(fd);
    assert_true(lstat(pipe, &info) == 0 && S_ISFIFO(info.st_mode));
    assert_int_equal(entries(), 3);
    assert_int_equal(gls_write_text(ctx, "/dev/null", "abc"), GLS_OK);
    assert_true(stat("/dev/null", &info) == 0 && S_ISCHR(info.st_mode));
    unlink(target);
    unlink(pipe);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(commit_puts_the_whole_file_in_place),
        TEST(pieces_of_any_size_stay_in_order),
        TEST(abort_leaves_nothing),
        TEST(full_disk_keeps_the_old_file),
        TEST(places_that_cannot_be_written),
        TEST(leftovers_are_no_obstacle),
        TEST(file_in_the_working_directory),
        TEST(directories_with_parents),
        TEST(links_pipes_and_devices_stay),
        TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
