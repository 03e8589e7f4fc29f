/* A folder has one owner; what the file system cannot do is replaced or said. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Stands before the C library's: file systems without locks, on folders only (NFS) or at all. */
static enum { ALL, FILES, NONE } locks;

int flock(int fd, int operation) {
    struct stat info;
    assert_int_equal(fstat(fd, &info), 0);
    if (locks == NONE || (locks == FILES && S_ISDIR(info.st_mode))) {
        errno = locks == NONE ? ENOLCK : EBADF;
        return -1;
    }
    return (int)syscall(SYS_flock, fd, operation);
}

static char folder[600], deep[640];
static gls_context *ctx;
static char heard[1000];

static void hear(void *user, gls_log_level level, const char *message) {
    (void)user;
    if (level == GLS_LOG_WARNING) snprintf(heard, sizeof heard, "%s", message);
}

static int setup(void **state) {
    gls_context_options options = {.size = sizeof options, .threads = 1, .log = hear};
    assert_int_equal(gls_context_create(&ctx, &options), GLS_OK);
    snprintf(folder, sizeof folder, "%s", scratch_directory());
    snprintf(deep, sizeof deep, "%s/a//b/", folder);
    locks = ALL;
    *heard = 0;
    return 0;
}

static int teardown(void **state) {
    assert_int_equal(rmdir(folder), 0); /* nothing was left behind */
    gls_context_destroy(ctx);
    return 0;
}

static void second_is_refused(void) {
    gls_lock *first, *second;
    assert_int_equal(gls_lock_folder(ctx, deep, &first), GLS_OK);
    assert_int_equal(gls_lock_folder(ctx, deep, &second), GLS_ERR_ARGUMENT);
    assert_null(second);
    assert_says(ctx, "in use");
    gls_lock_release(first);
    assert_int_not_equal(access(deep, F_OK), 0);
    assert_int_equal(gls_lock_folder(ctx, deep, &second), GLS_OK);
    gls_lock_release(second);
    assert_string_equal(heard, "");
}

static void one_gets_it(void **state) {
    second_is_refused();
}

static void a_file_stands_for_a_folder_without_locks(void **state) {
    locks = FILES;
    second_is_refused();
}

static void no_locks_are_said(void **state) {
    gls_lock *first, *second;
    locks = NONE;
    assert_int_equal(gls_lock_folder(ctx, folder, &first), GLS_OK);
    assert_non_null(strstr(heard, "has no locks"));
    assert_int_equal(gls_lock_folder(ctx, folder, &second), GLS_OK);
    gls_lock_release(second);
    gls_lock_release(first);
    char file[640];
    snprintf(file, sizeof file, "%s/.lock", folder);
    unlink(file);
}

/* What holds something stays, with what leads to it. */
static void full_folders_stay(void **state) {
    gls_lock *lock;
    char file[700], upper[640];
    assert_int_equal(gls_lock_folder(ctx, deep, &lock), GLS_OK);
    snprintf(upper, sizeof upper, "%s/a", folder);
    snprintf(file, sizeof file, "%s/file", upper);
    write_bytes(file, "x", 1);
    gls_lock_release(lock);
    assert_int_not_equal(access(deep, F_OK), 0);
    assert_int_equal(access(file, F_OK), 0);
    unlink(file);
    assert_int_equal(rmdir(upper), 0);
}

/* A process that is killed leaves no lock. */
static void a_lock_goes_with_its_process(void **state) {
    int ready[2];
    char byte;
    gls_lock *lock;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (!pid) {
        if (gls_lock_folder(ctx, folder, &lock) != GLS_OK || write(ready[1], "x", 1) != 1) _exit(1);
        for (;;) pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(gls_lock_folder(ctx, folder, &lock), GLS_ERR_ARGUMENT);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(gls_lock_folder(ctx, folder, &lock), GLS_OK);
    gls_lock_release(lock);
    close(ready[0]);
    close(ready[1]);
}

/* Owners come and go, folder and all: never are there two. */
static void there_are_never_two(void **state) {
    enum { PROCESSES = 4, TURNS = 300 };
    char inside[660];
    snprintf(inside, sizeof inside, "%s/a/b/owner", folder);
    for (int mode = ALL; mode <= FILES; mode++) {
        pid_t pid[PROCESSES];
        locks = mode;
        for (int p = 0; p < PROCESSES; p++) {
            if ((pid[p] = fork())) continue;
            for (int turn = 0; turn < TURNS;) {
                gls_lock *lock;
                gls_status status = gls_lock_folder(ctx, deep, &lock);
                if (status == GLS_ERR_ARGUMENT) continue;
                if (status != GLS_OK) _exit(2);
                int fd = open(inside, O_CREAT | O_EXCL | O_WRONLY, 0666);
                if (fd < 0 || close(fd) || unlink(inside)) _exit(3);
                gls_lock_release(lock);
                turn++;
            }
            _exit(0);
        }
        for (int p = 0; p < PROCESSES; p++) {
            int code;
            waitpid(pid[p], &code, 0);
            assert_int_equal(code, 0);
        }
    }
    /* Whoever found the folder takes it for another's, and leaves it. */
    char upper[640];
    snprintf(upper, sizeof upper, "%s/a", folder);
    rmdir(deep);
    rmdir(upper);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_gets_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_stands_for_a_folder_without_locks, setup, teardown),
        cmocka_unit_test_setup_teardown(no_locks_are_said, setup, teardown),
        cmocka_unit_test_setup_teardown(full_folders_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lock_goes_with_its_process, setup, teardown),
        cmocka_unit_test_setup_teardown(there_are_never_two, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
