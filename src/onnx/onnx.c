/* Recording of an ONNX graph. */
#include "onnx/record.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

gls_status gls_onnx_create(gls_context *ctx, gls_onnx **out) {
    gls_onnx *o = *out = gls_alloc(ctx, 1, sizeof *o);
    if (!o) return GLS_ERR_MEMORY;
    o->ctx = ctx;
    gls_status status = gls_arena_create(ctx, &o->arena);
    if (status == GLS_OK) return GLS_OK;
    gls_free(ctx, o);
    *out = NULL;
    return status;
}

void gls_onnx_destroy(gls_onnx *o) {
    if (!o) return;
    gls_onnx_list *lists[] = {&o->tensor, &o->operator, & o->input, &o->output, &o->note};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) gls_free(o->ctx, lists[i]->item);
    gls_arena_destroy(o->arena);
    gls_free(o->ctx, o);
}

void gls_onnx_fail(gls_onnx *o, gls_status status, const char *format, ...) {
    if (o->status != GLS_OK) return;
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    o->status = gls_fail(o->ctx, status, "%s", text);
}

void gls_onnx_refused(gls_onnx *o, gls_status status) {
    if (o->status == GLS_OK) o->status = status;
}

gls_status gls_onnx_status(const gls_onnx *o) {
    return o->status;
}

/* A fresh item at the end, zeroed; NULL after a failure. */
static void *append(gls_onnx *o, gls_onnx_list *list, size_t size) {
    if (o->status != GLS_OK) return NULL;
    if (list->count == list->room) {
        int64_t room = list->room ? 2 * list->room : 32;
        void *more = gls_resize(o->ctx, list->item, room, size);
        if (!more) {
            o->status = GLS_ERR_MEMORY;
            return NULL;
        }
        list->item = more;
        list->room = room;
    }
    return memset((char *)list->item + (size_t)list->count++ * size, 0, size);
}

static void *room(gls_onnx *o, int64_t count, size_t size) {
    void *block = o->status == GLS_OK ? gls_arena_alloc(o->arena, count ? count : 1, size) : NULL;
    if (!block && o->status == GLS_OK) o->status = GLS_ERR_MEMORY;
    return block;
}

void *gls_onnx_room(gls_onnx *o, int64_t count, size_t size) {
    void *block = room(o, count, size);
    return block ? memset(block, 0, (size_t)count * size) : NULL;
}

static const char *keep(gls_onnx *o, const char *text) {
    char *copy = room(o, (int64_t)strlen(text) + 1, 1);
    return copy ? strcpy(copy, text) : "";
}

/* ---- names ---- */

static const gls_onnx_tensor *tensor_of(const gls_onnx *o, const char *name) {
    const gls_onnx_tensor *t = o->tensor.item;
    for (int64_t i = 0; i < o->tensor.count; i++)
        if (strcmp(t[i].name, name) == 0) return &t[i];
    return NULL;
}

static bool names(const gls_onnx_operator *from, const char *name) {
    bool found = strcmp(from->name, name) == 0;
    for (int k = 0; k < from->outputs; k++) found |= strcmp(from->output[k], name) == 0;
    return found;
}

static bool is_taken(const gls_onnx *o, const char *name) {
    const gls_onnx_operator *operator= o->operator.item;
    const gls_onnx_port *input = o->input.item, *output = o->output.item;
    for (int64_t i = 0; i < o->operator.count; i++)
        if (names(&operator[i], name)) return true;
    for (int64_t i = 0; i < o->input.count; i++)
        if (strcmp(input[i].name, name) == 0) return true;
    for (int64_t i = 0; i < o->output.count; i++)
        if (strcmp(output[i].name, name) == 0) return true;
    return tensor_of(o, name) != NULL;
}

/* Names of a graph's outputs, which no value inside of it takes from them. */
static bool is_output_name(const char *name) {
    static const char *const names[] = {"output", "label", "probabilities"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

static const char *fresh_name(gls_onnx *o, const char *name) {
    char text[GLS_ONNX_NAME];
    snprintf(text, sizeof text, "%s", name);
    for (int i = 2; is_output_name(text) || is_taken(o, text); i++) snprintf(text, sizeof text, "%.200s_%d", name, i);
    return keep(o, text);
}

/* ---- constants ---- */

static gls_onnx_tensor *add_tensor(gls_onnx *o, const char *name, gls_onnx_kind kind, int dims, const int64_t *shape,
                                   size_t element) {
    const char *own = fresh_name(o, name);
    gls_onnx_tensor *t = append(o, &o->tensor, sizeof *t);
    if (!t) return NULL;
    *t = (gls_onnx_tensor){.name = own, .kind = kind, .dims = dims, .size = 1};
    for (int i = 0; i < dims; i++) t->size *= t->shape[i] = shape[i];
    t->data = room(o, t->size, element);
    return t->data ? t : NULL;
}

const char *gls_onnx_reals(gls_onnx *o, const char *name, bool shared, int dims, const int64_t *shape,
                           const gls_real *data) {
    const gls_onnx_tensor *there = shared ? tensor_of(o, name) : NULL;
    if (there) return there->name;
    gls_onnx_tensor *t = add_tensor(o, name, GLS_ONNX_FLOAT, dims, shape, sizeof(float));
    if (!t) return "";
    float *to = (float *)(uintptr_t)t->data;
    for (int64_t i = 0; i < t->size; i++) to[i] = (float)data[i];
    return t->name;
}

const char *gls_onnx_real(gls_onnx *o, const char *name, double value) {
    gls_real real = (gls_real)value;
    return gls_onnx_reals(o, name, false, 0, NULL, &real);
}

const char *gls_onnx_ints(gls_onnx *o, const char *name, int64_t count, const int64_t *data) {
    gls_onnx_tensor *t = add_tensor(o, name, GLS_ONNX_WHOLE, 1, &count, sizeof *data);
    if (!t) return "";
    memcpy((int64_t *)(uintptr_t)t->data, data, (size_t)count * sizeof *data);
    return t->name;
}

/* ---- nodes ---- */

static bool keep_attribute(gls_onnx *o, gls_onnx_operator *to, const gls_onnx_attribute *from) {
    if (to->attributes == GLS_ONNX_ATTRIBUTES) return false;
    gls_onnx_attribute *a = &to->attribute[to->attributes++];
    *a = *from;
    if (!a->count) return true;
    int64_t *list = room(o, a->count, sizeof *list);
    if (list) memcpy(list, from->list, (size_t)a->count * sizeof *list);
    a->list = list;
    return list != NULL;
}

/* With that very name. */
static const char *add_operator(gls_onnx *o, const char *type, const char *own, const char *const *inputs,
                                const gls_onnx_attribute *attributes) {
    gls_onnx_operator node = {.type = type, .name = own};
    for (; inputs[node.inputs] && node.inputs < GLS_ONNX_INPUTS; node.inputs++)
        node.input[node.inputs] = inputs[node.inputs];
    for (; attributes && attributes->name; attributes++)
        if (!keep_attribute(o, &node, attributes)) return "";
    gls_onnx_operator *added = append(o, &o->operator, sizeof * added);
    if (!added) return "";
    *added = node;
    return node.name;
}

const char *gls_onnx_node(gls_onnx *o, const char *type, const char *name, const char *const *inputs,
                          const gls_onnx_attribute *attributes) {
    return add_operator(o, type, fresh_name(o, name), inputs, attributes);
}

const char *gls_onnx_more(gls_onnx *o, const char *name) {
    const char *own = fresh_name(o, name);
    gls_onnx_operator *all = o->operator.item, *last = o->operator.count ? &all[o->operator.count - 1] : NULL;
    if (o->status != GLS_OK || !last || last->outputs == GLS_ONNX_MORE) return "";
    return last->output[last->outputs++] = own;
}

const char *gls_onnx_reshape(gls_onnx *o, const char *name, const char *x, const int64_t *extents) {
    char text[GLS_ONNX_NAME];
    int64_t count = 0;
    while (extents[count] != -2) count++;
    snprintf(text, sizeof text, "%s.shape", name);
    return gls_onnx_node(o, "Reshape", name, GLS_ONNX_ARGS(x, gls_onnx_ints(o, text, count, extents)), NULL);
}

const char *gls_onnx_transpose(gls_onnx *o, const char *name, const char *x, int dims, const int64_t *order) {
    const gls_onnx_attribute with[] = {{.name = "perm", .list = order, .count = dims}, {0}};
    return gls_onnx_node(o, "Transpose", name, GLS_ONNX_ARGS(x), with);
}

const char *gls_onnx_slice(gls_onnx *o, const char *name, const char *x, int64_t axis, int64_t from, int64_t to) {
    return gls_onnx_node(o, "Slice", name,
                         GLS_ONNX_ARGS(x, gls_onnx_ints(o, "from", 1, &from), gls_onnx_ints(o, "to", 1, &to),
                                       gls_onnx_ints(o, "axis", 1, &axis)),
                         NULL);
}

/* ---- inputs, outputs, notes ---- */

static const gls_onnx_port *add_port(gls_onnx *o, gls_onnx_list *list, const char *name, const char *value,
                                     gls_onnx_kind kind, int dims, const int64_t *shape) {
    gls_onnx_port port = {.name = keep(o, name), .value = value, .kind = kind, .dims = dims};
    for (int i = 0; i < dims; i++) port.shape[i] = shape[i];
    gls_onnx_port *added = append(o, list, sizeof *added);
    if (added) *added = port;
    return added;
}

const char *gls_onnx_input(gls_onnx *o, const char *name, gls_onnx_kind kind, int dims, const int64_t *shape) {
    const gls_onnx_port *port = add_port(o, &o->input, name, NULL, kind, dims, shape);
    return port ? port->name : "";
}

/* The name is the file's own, so a node that copies the value carries it. */
void gls_onnx_output(gls_onnx *o, const char *name, const char *value, gls_onnx_kind kind, int dims,
                     const int64_t *shape) {
    const char *own = add_operator(o, "Identity", keep(o, name), GLS_ONNX_ARGS(value), NULL);
    add_port(o, &o->output, own, own, kind, dims, shape);
}

void gls_onnx_note(gls_onnx *o, const char *key, const char *text) {
    gls_onnx_text note = {keep(o, key), keep(o, text)};
    gls_onnx_text *added = append(o, &o->note, sizeof *added);
    if (added) *added = note;
}
