/* What `scale` says: tables for people, one JSON object for programs. */
#include <math.h>

#include "cli/scale.h"

int cli_scale_numbers(double most, double ranks[SCALE_NUMBERS]) {
    int count = 0;
    for (double p = 1; p <= most && count < SCALE_NUMBERS - 2; p *= 2) {
        ranks[count++] = p;
        if (p == 2 && most >= 3) ranks[count++] = 3;
    }
    if (ranks[count - 1] < most) ranks[count++] = most;
    return count;
}

/* ---- for people ---- */

static void say_model(const gls_scaling *s, double rows) {
    const gls_scaling_model *m = &s->model;
    char n[32], d[32];
    fprintf(stderr, "%s examples, %s parameters, %.0f rows a rank\n", cli_thousands((int64_t)m->examples, n),
            cli_thousands((int64_t)m->parameters, d), rows);
    fprintf(stderr, "  a step of r rows takes %.3g ms + %.3g ms r (%.0f sizes timed, up to %.0f rows)\n",
            1e3 * m->step_time, 1e3 * m->row_time, (double)m->timings, m->timed[2 * (m->timings - 1)]);
    fprintf(stderr, "  network: %.3g us a message, %.4g Mbit/s (%s)\n", 1e6 * m->latency, 8e-6 * m->bandwidth,
            m->network_measured ? "measured between these ranks" : "given or assumed");
    char interval[64] = ""; /* none where the whole set was measured */
    if (isfinite(m->low) && isfinite(m->high)) snprintf(interval, sizeof interval, " (%.4g to %.4g)", m->low, m->high);
    if (m->bound >= 1)
        fprintf(stderr, "  B_S = %.4g examples%s: beyond, a larger batch saves few steps\n", m->bound, interval);
    else
        fprintf(stderr, "  B_S could not be measured: times alone are predicted; --bound gives it\n");
}

static void say_number(double x, const char *format) {
    if (isfinite(x))
        fprintf(stderr, format, x);
    else
        fprintf(stderr, "%10s", "-");
}

/* One line a number of ranks: what does not depend on the exchange, then the speed-up of each. */
static void say_table(const gls_scaling *s, double rows, double most) {
    double ranks[SCALE_NUMBERS];
    int count = cli_scale_numbers(most, ranks);
    fprintf(stderr, "\n%8s %10s %9s %9s |", "ranks", "batch", "passes x", "goodput x");
    for (int64_t w = 0; w < s->ways; w++) fprintf(stderr, " %9s", s->way[w].name);
    fprintf(stderr, "   speed-up\n");
    gls_scaling_row one, row;
    const gls_scaling_way *own = &s->way[s->own];
    gls_scaling_predict(&s->model, own, 1, rows, &one);
    for (int i = 0; i < count; i++) {
        gls_scaling_predict(&s->model, own, ranks[i], rows, &row);
        fprintf(stderr, "%8.0f %10.0f", ranks[i], ranks[i] * rows);
        say_number(row.growth / one.growth, "%10.3g");
        say_number(row.goodput / one.goodput, "%10.3g");
        fprintf(stderr, " |");
        for (int64_t w = 0; w < s->ways; w++) {
            gls_scaling_predict(&s->model, &s->way[w], ranks[i], rows, &row);
            say_number(row.speedup, "%10.3g");
        }
        fputc('\n', stderr);
    }
    fprintf(stderr, "  passes and goodput are those of %s", own->name);
    for (int64_t w = 0; w < s->ways; w++)
        if (!s->way[w].law) fprintf(stderr, "; no law says how many passes %s takes", s->way[w].name);
    fputc('\n', stderr);
}

static void say_enough(const gls_scaling *s, double rows, double most) {
    for (int64_t w = 0; w < s->ways; w++) {
        bool bytes = false;
        gls_scaling_row row;
        double enough = gls_scaling_enough(&s->model, &s->way[w], rows, most, &bytes);
        if (!isfinite(enough)) continue;
        gls_scaling_predict(&s->model, &s->way[w], enough, rows, &row);
        fprintf(stderr, "  %s: more than %.0f rank%s (%.3g times as fast) are waste, because of %s", s->way[w].name,
                enough, enough == 1 ? "" : "s", row.speedup,
                bytes ? "the bytes that they send" : "the gradients' diversity: passes grow with the batch");
        fprintf(stderr, "; the best batch there is %.0f\n", row.best_batch);
    }
    if (isfinite(s->model.passes))
        fprintf(stderr,
                "  the run took %.4g passes with batches of %.0f; --json has the passes of every number of ranks\n",
                s->model.passes, s->model.batch);
}

void cli_scale_say(const gls_scaling *s, double rows, double most) {
    say_model(s, rows);
    say_table(s, rows, most);
    say_enough(s, rows, most);
}

/* ---- for programs ---- */

static json_t *row_json(const gls_scaling_row *r) {
    return json_pack("{s:f, s:f, s:f, s:f, s:o, s:o, s:f, s:o, s:f, s:o, s:o, s:o}", "ranks", r->ranks, "batch",
                     r->ranks * r->rows, "step_seconds", r->step_seconds, "message_seconds", r->message_seconds,
                     "growth", cli_number(r->growth), "passes", cli_number(r->passes), "pass_seconds", r->pass_seconds,
                     "speedup", cli_number(r->speedup), "examples_per_second", r->throughput, "efficiency",
                     cli_number(r->efficiency), "goodput", cli_number(r->goodput), "best_batch",
                     cli_number(r->best_batch));
}

static json_t *way_json(const gls_scaling *s, const gls_scaling_way *way, double rows, double most) {
    double ranks[SCALE_NUMBERS];
    int count = cli_scale_numbers(most, ranks);
    json_t *list = json_array(), *work = json_array();
    bool bytes = false;
    for (int i = 0; i < GLS_SCALING_WORKS; i++) json_array_append_new(work, json_real(way->work[i]));
    double enough = gls_scaling_enough(&s->model, way, rows, most, &bytes);
    for (int i = 0; i < count; i++) {
        gls_scaling_row row;
        gls_scaling_predict(&s->model, way, ranks[i], rows, &row);
        json_array_append_new(list, row_json(&row));
    }
    return json_pack("{s:s, s:b, s:o, s:o, s:o, s:s, s:o}", "exchange", way->name, "law", way->law, "work", work,
                     "measured", way->measured > 0 ? json_real(way->measured) : json_null(), "enough_ranks",
                     cli_number(enough), "limited_by",
                     !isfinite(enough) ? ""
                     : bytes           ? "bytes"
                                       : "diversity",
                     "rows", list);
}

json_t *cli_scale_json(const gls_scaling *s, double rows, double most) {
    const gls_scaling_model *m = &s->model;
    json_t *ways = json_array(), *timed = json_array(), *messages = json_array();
    for (int64_t w = 0; w < s->ways; w++) json_array_append_new(ways, way_json(s, &s->way[w], rows, most));
    for (int64_t i = 0; i < m->timings; i++)
        json_array_append_new(timed, json_pack("[f, f]", m->timed[2 * i], m->timed[2 * i + 1]));
    for (int64_t i = 0; i < m->messages; i++)
        json_array_append_new(messages, json_pack("[f, f]", m->message[i][0], m->message[i][1]));
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:b, s:o, s:[o, o], s:f, s:s, s:o, s:o, s:f, s:o, s:f}",
                     "examples", m->examples, "parameters", m->parameters, "rows_a_rank", rows, "step_time",
                     m->step_time, "row_time", m->row_time, "latency", m->latency, "bandwidth", m->bandwidth,
                     "network_measured", m->network_measured, "batch_size_bound", cli_number(m->bound),
                     "batch_size_bound_interval", cli_number(m->low), cli_number(m->high), "quantised_noise",
                     m->quantised, "exchange", s->way[s->own].name, "timed", timed, "exchanges", ways, "overlap",
                     m->overlap, "messages", messages, "sum_bandwidth", m->sum_bandwidth);
}
