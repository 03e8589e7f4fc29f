/* Lanes of threads that take items in their order. */
#include "base/side.h"

#include "base/context.h"

#include <pthread.h>

typedef struct side side;
typedef struct lane {
    side *all;
    gls_context *ctx;
    pthread_t thread;
    bool runs;
} lane;

struct side {
    gls_context *ctx;
    gls_side_fn work;
    void *user;
    lane *lane;
    int lanes;
    int64_t items, next;
    gls_status status;
    pthread_mutex_t lock; /* of next and status */
};

/* The next item, or -1 at the end, after a failure, or interrupted. */
static int64_t take(side *s) {
    pthread_mutex_lock(&s->lock);
    if (s->status == GLS_OK && s->next < s->items && gls_interrupted(s->ctx))
        s->status = gls_fail(s->ctx, GLS_ERR_INTERRUPTED, "interrupted");
    int64_t item = s->status == GLS_OK && s->next < s->items ? s->next++ : -1;
    pthread_mutex_unlock(&s->lock);
    return item;
}

/* The first one counts: what fails after it was interrupted by it. */
static void note_failure(side *s, gls_status status, const char *message) {
    pthread_mutex_lock(&s->lock);
    if (s->status == GLS_OK) {
        s->status = gls_fail(s->ctx, status, "%s", message);
        for (int i = 0; i < s->lanes; i++) gls_interrupt(s->lane[i].ctx);
    }
    pthread_mutex_unlock(&s->lock);
}

static void *run_lane(void *user) {
    lane *l = user;
    side *s = l->all;
    for (int64_t item; (item = take(s)) >= 0;) {
        gls_status status = s->work(s->user, l->ctx, (int)(l - s->lane), item);
        if (status != GLS_OK) note_failure(s, status, gls_context_message(l->ctx));
    }
    return NULL;
}

static gls_status run_here(gls_context *ctx, int64_t items, gls_side_fn work, void *user) {
    gls_status status = GLS_OK;
    for (int64_t i = 0; i < items && status == GLS_OK; i++)
        status = gls_interrupted(ctx) ? gls_fail(ctx, GLS_ERR_INTERRUPTED, "interrupted") : work(user, ctx, 0, i);
    return status;
}

/* With every context there before the first thread starts: a failure may interrupt any of them. */
static gls_status make_lanes(side *s) {
    if (!(s->lane = gls_alloc(s->ctx, s->lanes, sizeof *s->lane))) return GLS_ERR_MEMORY;
    for (int i = 0; i < s->lanes; i++) {
        s->lane[i].all = s;
        if (gls_context_create_child(s->ctx, &s->lane[i].ctx) != GLS_OK)
            return gls_fail(s->ctx, GLS_ERR_MEMORY, "out of memory for a context");
        gls_interrupt_with(s->lane[i].ctx, s->ctx);
    }
    return GLS_OK;
}

/* A thread that the system refuses leaves its share to the others; without any of them nothing would be done. */
static gls_status run_lanes(side *s) {
    int running = 0;
    for (int i = 0; i < s->lanes; i++) {
        s->lane[i].runs = pthread_create(&s->lane[i].thread, NULL, run_lane, &s->lane[i]) == 0;
        running += s->lane[i].runs;
    }
    for (int i = 0; i < s->lanes; i++)
        if (s->lane[i].runs) pthread_join(s->lane[i].thread, NULL);
    return running ? s->status : run_here(s->ctx, s->items, s->work, s->user);
}

gls_status gls_side_by_side(gls_context *ctx, int lanes, int64_t items, gls_side_fn work, void *user) {
    if (items < lanes) lanes = (int)items;
    if (lanes <= 1) return run_here(ctx, items, work, user);
    side s = {.ctx = ctx, .work = work, .user = user, .lanes = lanes, .items = items};
    pthread_mutex_init(&s.lock, NULL);
    gls_status status = make_lanes(&s);
    if (status == GLS_OK) status = run_lanes(&s);
    for (int i = 0; s.lane && i < lanes; i++) gls_context_destroy(s.lane[i].ctx);
    gls_free(ctx, s.lane);
    pthread_mutex_destroy(&s.lock);
    return status;
}
