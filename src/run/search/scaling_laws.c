/* Predictions for any number of ranks, from a model of measured parts alone: docs/scale.md has the formulas. */
#include "comm/exchange.h"
#include "run/search/scaling.h"

#include <math.h>

/* Small reductions of a step: sums of the pass, bounds, agreement. */
enum { SMALL_MESSAGES = 3 };

/* Twice the ranks should give at least this. */
static const double worth = 1.25;

const int gls_scaling_work_ranks[GLS_SCALING_WORKS] = {2, 3, 4, 8};

/* Of a table [count, 2] at x, within its ends. */
static double between(const double *table, int64_t count, double x) {
    int64_t i = 1;
    while (i < count - 1 && table[2 * i] < x) i++;
    const double *low = table + 2 * (i - 1), *high = table + 2 * i;
    return low[1] + (high[1] - low[1]) * (x - low[0]) / (high[0] - low[0]);
}

/* One message from rank to rank. */
static double one_message(const gls_scaling_model *m, double bytes) {
    const double *first = m->message[0], *last = m->message[m->messages > 0 ? m->messages - 1 : 0];
    if (m->messages < 2) return m->latency + bytes / m->bandwidth;
    if (bytes <= first[0]) return first[1];
    return bytes < last[0] ? between(first, m->messages, bytes) : last[1] + (bytes - last[0]) / m->bandwidth;
}

/* What one rank computes in a step. */
static double computing(const gls_scaling_model *m, double rows) {
    const double *last = m->timed ? m->timed + 2 * (m->timings - 1) : NULL;
    if (m->timings < 2 || rows < m->timed[0]) return m->step_time + m->row_time * rows;
    return rows <= last[0] ? between(m->timed, m->timings, rows) : last[1] + m->row_time * (rows - last[0]);
}

/* An exchange's own. */
static double working(const gls_scaling_way *way, double ranks) {
    double table[GLS_SCALING_WORKS][2];
    if (ranks <= 1) return 0;
    for (int i = 0; i < GLS_SCALING_WORKS; i++) table[i][0] = gls_scaling_work_ranks[i], table[i][1] = way->work[i];
    return fmax(between(table[0], GLS_SCALING_WORKS, ranks), 0);
}

static double small_seconds(const gls_scaling_model *m, double ranks) {
    return SMALL_MESSAGES * ceil(log2(ranks)) * m->latency;
}

static double message_seconds(const gls_scaling_model *m, const gls_scaling_way *way, double ranks) {
    if (ranks <= 1) return 0;
    double hops = ceil(log2(ranks)), small = small_seconds(m, ranks);
    gls_comm_cost cost = gls_comm_exchange_cost(way->exchange, ranks);
    if (m->network == GLS_SCALING_TREE) {
        gls_comm_cost two = gls_comm_exchange_cost(way->exchange, 2);
        cost = (gls_comm_cost){.bytes = 2 * hops * two.bytes, .messages = 2 * hops};
    } else if (m->network == GLS_SCALING_HOSTS && m->host_ranks > 1) {
        double hosts = fmax(ceil(ranks / m->host_ranks), 1);
        cost = gls_comm_exchange_cost(way->exchange, hosts);
    } else if (m->sum_bandwidth > 0 && gls_comm_exchange_cuts(way->exchange)) {
        return small + 2 * (ranks - 1) * m->latency + cost.bytes / m->sum_bandwidth;
    }
    return small + (cost.messages > 0 ? cost.messages * one_message(m, cost.bytes / cost.messages) : 0);
}

/* Passes to a loss are those of single examples times B E|g|^2 / M^2, g the vector of a step over B = P r rows. With
 * delta = 1 / B_S = G / M^2 and independent noise of a rank's vector (whose own E|g_j|^2 / M^2 is delta + (1 - delta) /
 * r) it is delta + (1 - delta) / B + noise (delta + (1 - delta) / r) / P, and once more (1 + noise) where sums are
 * quantised again. Without noise this is 1 + (B - 1) / B_S ([D] theorems 4 to 7). */
static double growth(const gls_scaling_model *m, const gls_scaling_way *way, double ranks, double rows) {
    if (!way->law || !(m->bound >= 1)) return NAN;
    double batch = ranks * rows, delta = 1 / m->bound, noise = ranks > 1 ? way->noise : 0;
    double norm2 = delta + (1 - delta) / batch + noise * (delta + (1 - delta) / rows) / ranks;
    gls_comm_cost cost = gls_comm_exchange_cost(way->exchange, ranks);
    bool again = noise > 0 && cost.messages > ranks - 1;
    return batch * norm2 * (again ? 1 + noise : 1);
}

/* What a sum made at once adds to a step, its small reductions apart. */
static double at_once(const gls_scaling_model *m, const gls_scaling_way *way, double ranks) {
    return message_seconds(m, way, ranks) - small_seconds(m, ranks) + working(way, ranks);
}

/* What the pieces leave out, as it was found where steps were made whole. */
static double factor(const gls_scaling_model *m, const gls_scaling_way *way) {
    bool known = way->measured > 0 && m->ranks > 1 && m->network == GLS_SCALING_RING;
    return known ? way->measured / at_once(m, way, m->ranks) : 1;
}

/* Parts travel while others are computed and worked on: then the processor is busy for compute + work, and the link,
 * which begins when (1 - overlap) compute is over, for as long as it takes. */
static double adding(const gls_scaling_model *m, const gls_scaling_way *way, double ranks, double compute) {
    if (ranks <= 1) return 0;
    double small = small_seconds(m, ranks);
    if (!gls_comm_exchange_cuts(way->exchange)) return small + factor(m, way) * at_once(m, way, ranks);
    return small + fmax(working(way, ranks), message_seconds(m, way, ranks) - small - m->overlap * compute);
}

static double step_seconds(const gls_scaling_model *m, const gls_scaling_way *way, double ranks, double rows) {
    double compute = computing(m, rows);
    return compute + adding(m, way, ranks, compute);
}

void gls_scaling_predict(const gls_scaling_model *m, const gls_scaling_way *way, double ranks, double rows,
                         gls_scaling_row *out) {
    if (!m || !way || !out) return;
    double seconds = step_seconds(m, way, ranks, rows), batch = ranks * rows, one = growth(m, way, 1, rows);
    double known = isfinite(m->passes) ? m->passes / growth(m, way, 1, m->batch) : NAN;
    double fixed = seconds - m->row_time * rows;
    *out = (gls_scaling_row){.ranks = ranks,
                             .rows = rows,
                             .step_seconds = seconds,
                             .message_seconds = message_seconds(m, way, ranks),
                             .growth = growth(m, way, ranks, rows),
                             .pass_seconds = m->examples / batch * seconds,
                             .throughput = batch / seconds};
    out->passes = known * out->growth;
    out->efficiency = 1 / out->growth;
    out->goodput = out->throughput * out->efficiency;
    out->speedup = out->goodput / (rows / step_seconds(m, way, 1, rows) / one);
    /* goodput = B / ((fixed + row_time B / P) (1 + (B - 1) / B_S)) is greatest there; where there is noise, about. */
    out->best_batch = way->law ? fmax(sqrt(fixed * ranks * fmax(m->bound - 1, 0) / m->row_time), ranks) : NAN;
}

double gls_scaling_enough(const gls_scaling_model *m, const gls_scaling_way *way, double rows, double most,
                          bool *bytes) {
    if (!m || !way || !bytes || !way->law || !(m->bound >= 1)) return NAN;
    gls_scaling_row now, twice, one;
    double ranks = 1;
    gls_scaling_predict(m, way, 1, rows, &one);
    for (;; ranks *= 2) {
        gls_scaling_predict(m, way, ranks, rows, &now);
        gls_scaling_predict(m, way, 2 * ranks, rows, &twice);
        if (twice.speedup < worth * now.speedup || 2 * ranks > most) break;
    }
    double slower = twice.step_seconds / one.step_seconds, more = twice.growth / one.growth;
    *bytes = slower > more;
    return ranks;
}
