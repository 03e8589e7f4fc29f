/* One line that shows how far a run is: a bar on a terminal, elsewhere a plain line every few seconds. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

enum {
    PARTS = 6,     /* texts of a line: describe makes at most five */
    LONGEST = 400, /* bytes of the texts */
    BAR_LEAST = 8, /* columns: a shorter bar says nothing, a longer one no more */
    BAR_MOST = 30
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool speaks_utf8(void) {
    const char *names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (int i = 0; i < 3; i++) {
        const char *value = getenv(names[i]);
        if (value && *value) return strstr(value, "UTF-8") || strstr(value, "utf8");
    }
    return false;
}

void cli_progress_init(cli_progress *p, bool quiet) {
    const char *term = getenv("TERM");
    *p = (cli_progress){.quiet = quiet,
                        .terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0,
                        .unicode = speaks_utf8(),
                        .last = -INFINITY};
}

void cli_progress_clear(cli_progress *p) {
    if (!p->drawn) return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    p->drawn = false;
}

/* The texts of the line, in order of place; weight says which go first when room is short (largest first). */
typedef struct part {
    char text[96];
    int weight;
} part;

static int describe(const gls_progress *g, part parts[PARTS]) {
    char a[32], b[32];
    int n = 0;
    if (g->epochs > 0)
        snprintf(parts[n].text, 96, "epoch %.*f/%g", g->epochs < 1 ? 2 : 1, g->epoch, g->epochs);
    else if (g->total_steps > 0)
        snprintf(parts[n].text, 96, "step %s/%s", cli_thousands(g->step, a), cli_thousands(g->total_steps, b));
    else
        snprintf(parts[n].text, 96, "step %s", cli_thousands(g->step, a));
    parts[n++].weight = 0;
    snprintf(parts[n].text, 96, "loss %.4g", g->loss);
    parts[n++].weight = 1;
    if (g->score_name && !isnan(g->score)) {
        bool share = strcmp(g->score_name, "accuracy") == 0;
        snprintf(parts[n].text, 96, "%s %s %.*f%s", g->set, g->score_name, share ? 2 : 4,
                 share ? 100 * g->score : g->score, share ? "%" : "");
        parts[n++].weight = 2;
    } else if (!isnan(g->monitored)) {
        snprintf(parts[n].text, 96, "%s loss %.4g", g->set, g->monitored);
        parts[n++].weight = 2;
    }
    snprintf(parts[n].text, 96, "%s/s", cli_thousands((int64_t)g->examples_per_second, a));
    parts[n++].weight = 4;
    if (!isnan(g->seconds_left)) {
        snprintf(parts[n].text, 96, "%s left", cli_duration(g->seconds_left, a));
        parts[n++].weight = 3;
    }
    return n;
}

static double share_done(const gls_progress *g) {
    double share = g->total_steps > 0 ? (double)g->step / (double)g->total_steps : -1;
    return share > 1 ? 1 : share;
}

/* The bar itself in `cells` columns. */
static void draw_bar(const cli_progress *p, double share, int cells, char *to, size_t room) {
    int full = (int)(share * cells + 0.5);
    size_t used = 0;
    for (int i = 0; i < cells; i++)
        used += (size_t)snprintf(to + used, room - used, "%s",
                                 i < full     ? p->unicode ? "\u2501" : "#"
                                 : p->unicode ? "\u2500"
                                              : "-");
}

static int columns(void) {
    struct winsize size;
    if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col > 0) return size.ws_col;
    return 80;
}

/* Texts are dropped by weight until the line fits the terminal; the bar gets the columns that are left. */
static void draw(cli_progress *p, part parts[PARTS], int n, double share) {
    int width = columns() - 1, total = 0;
    for (int i = 0; i < n; i++) total += (int)strlen(parts[i].text) + (i ? 2 : 0);
    while (n > 1 && total > width) {
        int drop = 0;
        for (int i = 1; i < n; i++)
            if (parts[i].weight > parts[drop].weight) drop = i;
        total -= (int)strlen(parts[drop].text) + 2;
        memmove(parts + drop, parts + drop + 1, sizeof *parts * (size_t)(n - drop - 1));
        n--;
    }
    char line[LONGEST * 2] = "\r", bar[4 * BAR_MOST + 8] = "";
    int cells = width - total - 2;
    if (cells > BAR_MOST) cells = BAR_MOST;
    if (share >= 0 && cells >= BAR_LEAST) draw_bar(p, share, cells, bar, sizeof bar);
    size_t used = 1;
    for (int i = 0; i < n; i++) {
        used += (size_t)snprintf(line + used, sizeof line - used, "%s%s", i ? "  " : "", parts[i].text);
        if (i == 0 && *bar) used += (size_t)snprintf(line + used, sizeof line - used, "  %s", bar);
    }
    used += (size_t)snprintf(line + used, sizeof line - used, "\033[K");
    fwrite(line, 1, used, stderr);
    fflush(stderr);
    p->drawn = true;
}

static void plain_line(part parts[PARTS], int n) {
    for (int i = 0; i < n; i++) fprintf(stderr, "%s%s", i ? "  " : "", parts[i].text);
    fputc('\n', stderr);
}

static void show(cli_progress *p, part parts[PARTS], int n, double share) {
    p->last = now();
    if (p->terminal)
        draw(p, parts, n, share);
    else
        plain_line(parts, n);
}

/* Ten frames a second on a terminal; in a log a line every ten seconds, or two after a validation. */
void cli_progress_show(void *user, const gls_progress *g) {
    cli_progress *p = user;
    part parts[PARTS];
    if (p->quiet) return;
    double t = now(), since = t - p->last;
    if (p->terminal ? since < 0.1 : since < (g->validated ? 2 : 10)) return;
    if (!p->terminal && isinf(p->last) && !g->validated && g->step < 2) {
        p->last = t; /* the first plain line comes after a while */
        return;
    }
    show(p, parts, describe(g, parts), share_done(g));
}

void cli_progress_work(cli_progress *p, const char *text, double share, double seconds_left) {
    part parts[PARTS] = {{.weight = 0}, {.weight = 1}};
    char left[32];
    double since = now() - p->last;
    if (p->quiet || since < (p->terminal ? 0.1 : 10)) return;
    snprintf(parts[0].text, sizeof parts[0].text, "%s", text);
    bool known = seconds_left >= 0;
    if (known) snprintf(parts[1].text, sizeof parts[1].text, "%s left", cli_duration(seconds_left, left));
    show(p, parts, known ? 2 : 1, share > 1 ? 1 : share);
}
