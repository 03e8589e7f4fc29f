/* The coordinates that a tail index reads: a partial shuffle of 0 .. d-1 that keeps only the places it has touched, so
 * that a large model costs no more than a small one. */
#include "measure/tail_report.h"

#include "base/arith.h"

/* Places of the shuffled list that no longer hold their own number, by open addressing: key is place + 1, 0 is free. */
typedef struct moved {
    int64_t *key, *value;
    uint64_t mask;
} moved;

static uint64_t place_of(const moved *m, int64_t place) {
    uint64_t at = (uint64_t)place * 0x9e3779b97f4a7c15u >> 20 & m->mask;
    while (m->key[at] && m->key[at] != place + 1) at = (at + 1) & m->mask;
    return at;
}

static int64_t number_at(const moved *m, int64_t place) {
    uint64_t at = place_of(m, place);
    return m->key[at] ? m->value[at] : place;
}

static void put(moved *m, int64_t place, int64_t number) {
    uint64_t at = place_of(m, place);
    m->key[at] = place + 1;
    m->value[at] = number;
}

static void draw(moved *m, gls_random *random, int64_t d, int64_t n, int64_t *out) {
    for (int64_t i = 0; i < n; i++) {
        int64_t k = i + gls_random_below(random, d - i);
        out[i] = number_at(m, k);
        put(m, k, number_at(m, i));
    }
}

gls_status gls_tail_candidates(gls_context *ctx, gls_random *random, int64_t wanted, int64_t d, int64_t **out,
                               int64_t *count) {
    int64_t n = gls_least(4 * wanted, d), room = 4;
    while (room < 2 * n) room *= 2;
    moved m = {gls_alloc(ctx, room, sizeof *m.key), gls_alloc(ctx, room, sizeof *m.value), (uint64_t)room - 1};
    int64_t *list = gls_alloc(ctx, n, sizeof *list);
    gls_status status = m.key && m.value && list ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK) {
        draw(&m, random, d, n, list);
        *out = list;
        *count = n;
    } else {
        gls_free(ctx, list);
    }
    gls_free(ctx, m.key);
    gls_free(ctx, m.value);
    return status;
}
