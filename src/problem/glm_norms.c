/* Norms and inner products of group gradients S = sum_i residual_i x_i^T + l2 M W, s = sum_i residual_i, without
 * forming S where the double sum over pairs is cheaper (methods.md 4):
 *   |S|^2 = sum_ij (residual_i . residual_j)(x_i . x_j) + 2 l2 M sum_i residual_i . W x_i + (l2 M)^2 |W|^2. */
#include "problem/glm.h"

#include "base/kernels.h"

double gls_glm_rows_dot(const gls_glm *glm, const gls_batch *rows, int64_t i, int64_t j) {
    if (!glm->sparse) return gls_dot(rows->x + i * glm->features, rows->x + j * glm->features, glm->features);
    int64_t s = rows->row[i], t = rows->row[j];
    double sum = 0;
    while (s < rows->row[i + 1] && t < rows->row[j + 1]) {
        if (rows->column[s] == rows->column[t])
            sum += (double)rows->value[s++] * rows->value[t++];
        else if (rows->column[s] < rows->column[t])
            s++;
        else
            t++;
    }
    return sum;
}

static double small_dot(const gls_real *a, const gls_real *b, int64_t k) {
    double sum = 0;
    for (int64_t c = 0; c < k; c++) sum += (double)a[c] * b[c];
    return sum;
}

typedef struct group_sums {
    const gls_problem *p;
    const gls_glm *glm;
    gls_glm_evaluation *e;
    const gls_evaluate_args *args;
    const gls_partition *partition;
    int64_t group, first, last, members;
    double mass, width; /* mass, mean number of stored features a row */
} group_sums;

static void find_members(group_sums *s) {
    const gls_batch *rows = s->args->rows;
    s->first = s->last = -1;
    s->members = 0;
    s->mass = 0;
    double stored = 0;
    for (int64_t i = 0; i < rows->rows; i++) {
        if (s->partition->group[i] != s->group) continue;
        if (s->first < 0) s->first = i;
        s->last = i;
        s->members++;
        s->mass += rows->mass ? rows->mass[i] : 1;
        stored += s->glm->sparse ? (double)(rows->row[i + 1] - rows->row[i]) : (double)s->glm->features;
    }
    s->width = s->members ? stored / (double)s->members : 0;
}

/* W x_i is z_i without the bias. */
static double residual_dot_output(const group_sums *s, int64_t i) {
    int64_t k = s->glm->outputs;
    const gls_real *w = gls_point_w(s->args->point), *bias = s->glm->options.bias ? w + k * s->glm->features : NULL;
    double sum = 0;
    for (int64_t c = 0; c < k; c++)
        sum += s->e->residual[i * k + c] * ((double)s->e->z[i * k + c] - (bias ? bias[c] : 0));
    return sum;
}

static double bias_norm(const group_sums *s) {
    double total = 0;
    if (!s->glm->options.bias) return 0;
    for (int64_t c = 0; c < s->glm->outputs; c++) {
        double sum = 0;
        for (int64_t i = s->first; i <= s->last; i++)
            if (s->partition->group[i] == s->group) sum += s->e->residual[i * s->glm->outputs + c];
        total += sum * sum;
    }
    return total;
}

static double pairs(const group_sums *s) {
    const int32_t *group = s->partition->group;
    const gls_real *residual = s->e->residual;
    int64_t k = s->glm->outputs;
    double sum = 0, cross = 0, l2 = s->glm->options.l2;
    for (int64_t i = s->first; i <= s->last; i++) {
        if (group[i] != s->group) continue;
        sum += small_dot(residual + i * k, residual + i * k, k) * gls_glm_rows_dot(s->glm, s->args->rows, i, i);
        for (int64_t j = s->first; j < i; j++) {
            if (group[j] != s->group) continue;
            double e = small_dot(residual + i * k, residual + j * k, k);
            if (e != 0) sum += 2 * e * gls_glm_rows_dot(s->glm, s->args->rows, i, j);
        }
        if (l2 > 0) cross += residual_dot_output(s, i);
    }
    if (l2 == 0) return sum;
    double norm2 = ((const gls_glm_point *)gls_point_prepared(s->args->point))->norm2;
    return sum + 2 * l2 * s->mass * cross + l2 * l2 * s->mass * s->mass * norm2;
}

/* Runs of neighbouring members, so that dense rows go through one product. */
static gls_status form(group_sums *s) {
    int64_t k = s->glm->outputs, d = s->glm->features;
    if (!s->e->matrix) s->e->matrix = gls_alloc(s->p->ctx, k * d, sizeof(gls_real));
    if (!s->e->matrix) return GLS_ERR_MEMORY;
    gls_fill(s->e->matrix, 0, k * d);
    for (int64_t begin = s->first, end; begin <= s->last; begin = end) {
        end = begin + 1;
        if (s->partition->group[begin] != s->group) continue;
        while (end <= s->last && s->partition->group[end] == s->group) end++;
        gls_glm_add_rows(s->p, s->args->rows, s->e->residual, NULL, begin, end, 0, d, s->e->matrix, d);
    }
    if (s->glm->options.l2 > 0)
        gls_axpy(s->e->matrix, s->glm->options.l2 * s->mass, gls_point_w(s->args->point), k * d);
    return GLS_OK;
}

/* Multiply-adds of n (n + 1) / 2 pairs of rows, against those of the explicit matrix: adding n rows, and three passes
 * over its elements (filled, written, read). */
static bool pairs_are_cheaper(const group_sums *s) {
    double n = (double)s->members, k = (double)s->glm->outputs;
    return n == 1 || 0.5 * n * (n + 1) * (s->width + k) < n * k * s->width + 3 * k * (double)s->glm->features;
}

gls_status gls_glm_norms(gls_problem *p, void *self, const gls_evaluate_args *args, const gls_partition *partition,
                         double *out) {
    group_sums s = {.p = p, .glm = p->self, .e = self, .args = args, .partition = partition};
    for (s.group = 0; s.group < partition->groups; s.group++) {
        out[s.group] = 0;
        find_members(&s);
        if (s.members == 0) continue;
        double weight;
        if (pairs_are_cheaper(&s)) {
            weight = pairs(&s);
        } else {
            GLS_TRY(form(&s));
            weight = gls_sum_squares(s.e->matrix, s.glm->outputs * s.glm->features);
        }
        out[s.group] = (weight < 0 ? 0 : weight) + bias_norm(&s);
    }
    return GLS_OK;
}

/* Row by row: residual_i . (V x_i + v) + m_i l2 <W, V>, V and v being the vector's weight and bias. */
gls_status gls_glm_inner(gls_problem *p, void *self, const gls_evaluate_args *args, const gls_partition *partition,
                         const gls_point *v, double *out) {
    const gls_glm *glm = p->self;
    const gls_glm_evaluation *e = self;
    const gls_batch *rows = args->rows;
    int64_t k = glm->outputs, d = glm->features;
    const gls_real *vector = gls_point_w(v);
    double penalty = glm->options.l2 > 0 ? glm->options.l2 * gls_dot(gls_point_w(args->point), vector, k * d) : 0;
    for (int64_t g = 0; g < partition->groups; g++) out[g] = 0;
    for (int64_t i = 0; i < rows->rows; i++) {
        if (partition->group[i] < 0) continue;
        double sum = (rows->mass ? rows->mass[i] : 1) * penalty;
        for (int64_t c = 0; c < k; c++) {
            double output = gls_glm_row_dot(glm, rows, i, vector + c * d);
            if (glm->options.bias) output += vector[k * d + c];
            sum += e->residual[i * k + c] * output;
        }
        out[partition->group[i]] += sum;
    }
    return GLS_OK;
}
