/* Runs the command as a user does, in a folder of the test's own. */
#ifndef TEST_CLI_SUPPORT_H
#define TEST_CLI_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <glob.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "patience.h"

typedef struct said {
    int code;
    char out[1 << 18], err[1 << 16];
} said;

static inline int remove_entry(const char *path, const struct stat *info, int flag, struct FTW *ftw) {
    (void)info, (void)flag, (void)ftw;
    return remove(path);
}

/* The command's path: two folders above this program lies the build folder. */
static inline void command_path(char path[4096]) {
    ssize_t n = readlink("/proc/self/exe", path, 4000);
    assert_true(n > 0);
    path[n] = 0;
    for (int i = 0; i < 2; i++) *strrchr(path, '/') = 0;
    strcat(path, "/glissade");
}

static inline int enter_folder(void **state) {
    char *folder = malloc(64), command[4096];
    strcpy(folder, "/tmp/glissade-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    command_path(command);
    const char *given = getenv("GLISSADE_COMMAND"); /* of a cross build: the command under its emulator */
    setenv("G", given ? given : command, 1);
    /* Real data: GLISSADE_DATA, else beside the source tree whose `build` this is. */
    *strrchr(command, '/') = 0;
    strcat(command, "/../../shared/data");
    setenv("GLISSADE_DATA", command, 0);
    *state = folder;
    return 0;
}

static inline int leave_folder(void **state) {
    assert_int_equal(chdir("/"), 0);
    nftw(*state, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return 0;
}

static inline void slurp(const char *path, char *to, size_t room) {
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(to, 1, room - 1, f) : 0;
    to[n] = 0;
    if (f) fclose(f);
}

/* A line of shell in which $G is the command. */
static inline void sh(said *s, const char *format, ...) {
    char line[8192], whole[8400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    snprintf(whole, sizeof whole, "{ %s\n} >.out 2>.err", line);
    int status = system(whole);
    s->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    slurp(".out", s->out, sizeof s->out);
    slurp(".err", s->err, sizeof s->err);
}

static inline double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline void pause_ms(int ms) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

static inline bool is_there(const char *pattern) {
    glob_t found;
    bool there = glob(pattern, 0, NULL, &found) == 0;
    if (there) globfree(&found);
    return there;
}

/* Until a file of the shell's pattern is there, which fails after a minute. */
static inline void wait_for(const char *pattern) {
    double last = now() + 60 * patience();
    while (!is_there(pattern) && now() < last) pause_ms(10);
    if (!is_there(pattern)) fail_msg("%s did not come", pattern);
}

/* An export was written, or refused by a build that has no ONNX. */
static inline void assert_exported(const said *s) {
    if (s->code && !strstr(s->err, "built without ONNX")) fail_msg("export: exit code %d: %s", s->code, s->err);
}

/* The last line of standard output as JSON. */
static inline json_t *last_json(const said *s) {
    char text[sizeof s->out];
    strcpy(text, s->out);
    size_t n = strlen(text);
    while (n && text[n - 1] == '\n') text[--n] = 0;
    char *line = strrchr(text, '\n');
    json_t *object = json_loads(line ? line + 1 : text, 0, NULL);
    if (!object) fail_msg("no JSON in: %s%s", s->out, s->err);
    return object;
}

static inline bool same_files(const char *a, const char *b) {
    char line[1000];
    snprintf(line, sizeof line, "cmp -s %s %s", a, b);
    return system(line) == 0;
}

#endif
