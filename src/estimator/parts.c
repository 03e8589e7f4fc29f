/* Large gradients added up over ranks while they are made. Tiles, which hold the large weight matrices, are the last
 * that a pass computes; each is final once it is made in the last section, so that it can travel while the others are
 * made. What no tile writes lies in the lanes until the end, and follows in one message. The bits are those of a sum at
 * once. */
#include "estimator/pass.h"

#include "comm/exchange.h"

/* Parts of tiles; the first call counts, the second fills in. */
static int64_t cut(gls_pass *pass, int64_t least, gls_comm_part *part, int64_t *tile) {
    int64_t count = 0, begin = 0, end = 0, next_begin = 0, next_end = 0;
    for (int64_t t = 0; t <= pass->parts.tiles; t++) {
        bool over = t == pass->parts.tiles;
        if (!over) pass->problem->type->tile_range(pass->problem, t, &next_begin, &next_end);
        if (end > begin && (over || next_begin != end || end - begin >= least)) {
            if (part) part[count] = (gls_comm_part){begin, end}, tile[count] = t;
            count++;
            begin = end;
        }
        if (over) break;
        if (next_begin != end) begin = next_begin;
        end = next_end;
    }
    return count;
}

/* What lies between parts of tiles, and behind the last one. */
static int64_t rest(const gls_pass *pass, gls_comm_part *part) {
    const gls_pass_parts *p = &pass->parts;
    int64_t count = 0, end = 0;
    for (int64_t k = 0; k <= p->early; k++) {
        int64_t begin = k < p->early ? p->part[k].begin : pass->size;
        if (begin > end && part) part[count] = (gls_comm_part){end, begin};
        count += begin > end;
        if (k < p->early) end = p->part[k].end;
    }
    return count;
}

gls_status gls_pass_parts_create(gls_pass *pass) {
    gls_pass_parts *p = &pass->parts;
    p->tiles = gls_problem_tiles(pass->problem);
    if (!p->tiles || !pass->problem->type->tile_range) return GLS_OK;
    int64_t least = pass->size / GLS_COMM_PARTS > GLS_COMM_PART ? pass->size / GLS_COMM_PARTS : GLS_COMM_PART;
    int64_t count = cut(pass, least, NULL, NULL);
    p->part = gls_alloc(pass->ctx, 2 * count + 1, sizeof *p->part);
    p->tile = gls_alloc(pass->ctx, count, sizeof *p->tile);
    p->made = gls_alloc(pass->ctx, p->tiles, sizeof *p->made);
    if (!p->part || !p->tile || !p->made) return GLS_ERR_MEMORY;
    p->early = cut(pass, least, p->part, p->tile);
    p->count = p->early + rest(pass, p->part + p->early);
    return GLS_OK;
}

void gls_pass_parts_destroy(gls_pass *pass) {
    gls_free(pass->ctx, pass->parts.part);
    gls_free(pass->ctx, pass->parts.tile);
    gls_free(pass->ctx, pass->parts.made);
}

/* A factor that has to be known before ranks add up, or an exchange that wants the vector whole, leaves nothing to do
 * early; a short vector does not either. */
gls_status gls_pass_parts_begin(gls_pass_job *job) {
    const gls_pass_request *request = job->request;
    gls_pass *pass = job->pass;
    gls_pass_parts *p = &pass->parts;
    job->parted = request->g && !request->local && !request->share && !request->explicit_slices && p->early > 1 &&
                  gls_comm_exchange_in_parts(pass->ctx, request->exchange);
    if (!job->parted) return GLS_OK;
    p->next = p->handed = 0;
    for (int64_t t = 0; t < p->tiles; t++) atomic_store_explicit(&p->made[t], false, memory_order_relaxed);
    return gls_comm_exchange_begin(pass->ctx, request->exchange, request->g, p->part, p->count);
}

/* Worker 0 is the thread that passes messages. It hands over what the others have made, too. */
void gls_pass_parts_made(gls_pass_job *job, int64_t tile, int worker) {
    gls_pass_parts *p = &job->pass->parts;
    atomic_store_explicit(&p->made[tile], true, memory_order_release);
    if (worker != 0) return;
    while (p->next < p->tiles && atomic_load_explicit(&p->made[p->next], memory_order_acquire)) p->next++;
    while (p->handed < p->early && p->tile[p->handed] <= p->next) p->handed++;
    gls_comm_parts_hand(job->pass->ctx, p->handed);
}

gls_status gls_pass_parts_end(gls_pass_job *job) {
    return gls_comm_exchange_finish(job->pass->ctx, job->request->exchange);
}
