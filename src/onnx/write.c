/* The recorded graph as ONNX's own messages, which protobuf-c packs into a file. */
#include "onnx/record.h"

#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "onnx/onnx.pb-c.h"

/* Messages live in the record's arena: pointers to them are all that protobuf-c wants. */
typedef struct builder {
    gls_onnx *o;
    bool failed;
} builder;

static void *make(builder *b, int64_t count, size_t size) {
    void *block = gls_arena_alloc(b->o->arena, count ? count : 1, size);
    if (!block) {
        b->failed = true;
        return NULL;
    }
    return memset(block, 0, (size_t)(count ? count : 1) * size);
}

static char *text_of(const char *text) {
    return (char *)(uintptr_t)text; /* protobuf-c's messages are not const; nothing writes to them */
}

static Onnx__TensorProto *tensor(builder *b, const gls_onnx_tensor *from) {
    Onnx__TensorProto *to = make(b, 1, sizeof *to);
    int64_t *dims = make(b, from->dims, sizeof *dims);
    if (b->failed) return NULL;
    onnx__tensor_proto__init(to);
    for (int i = 0; i < from->dims; i++) dims[i] = from->shape[i];
    to->name = text_of(from->name);
    to->n_dims = (size_t)from->dims;
    to->dims = dims;
    to->has_data_type = 1;
    bool whole = from->kind == GLS_ONNX_WHOLE;
    to->data_type = whole ? ONNX__TENSOR_PROTO__DATA_TYPE__INT64 : ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    to->has_raw_data = 1; /* little-endian, as the machine has it */
    to->raw_data.len = (size_t)from->size * (whole ? sizeof(int64_t) : sizeof(float));
    to->raw_data.data = (uint8_t *)(uintptr_t)from->data;
    return to;
}

static Onnx__AttributeProto *attribute(builder *b, const gls_onnx_attribute *from) {
    Onnx__AttributeProto *to = make(b, 1, sizeof *to);
    if (b->failed) return NULL;
    onnx__attribute_proto__init(to);
    to->name = text_of(from->name);
    to->has_type = 1;
    if (from->real) {
        to->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
        to->has_f = 1;
        to->f = (float)from->number;
    } else if (from->count) {
        to->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
        to->n_ints = (size_t)from->count;
        to->ints = (int64_t *)(uintptr_t)from->list;
    } else {
        to->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
        to->has_i = 1;
        to->i = from->whole;
    }
    return to;
}

static Onnx__NodeProto *node(builder *b, gls_onnx_operator *from) {
    Onnx__NodeProto *to = make(b, 1, sizeof *to);
    char **input = make(b, from->inputs, sizeof *input), **output = make(b, 1 + from->outputs, sizeof *output);
    Onnx__AttributeProto **with = make(b, from->attributes, sizeof(Onnx__AttributeProto *));
    if (b->failed) return NULL;
    onnx__node_proto__init(to);
    for (int i = 0; i < from->inputs; i++) input[i] = text_of(from->input[i]);
    for (int i = 0; i < from->attributes; i++) with[i] = attribute(b, &from->attribute[i]);
    *output = text_of(from->name);
    for (int i = 0; i < from->outputs; i++) output[1 + i] = text_of(from->output[i]);
    to->name = *output;
    to->op_type = text_of(from->type);
    to->n_input = (size_t)from->inputs;
    to->input = input;
    to->n_output = 1 + (size_t)from->outputs;
    to->output = output;
    to->n_attribute = (size_t)from->attributes;
    to->attribute = with;
    return to;
}

/* [batch, shape] */
static Onnx__TensorShapeProto *port_shape(builder *b, const gls_onnx_port *from) {
    Onnx__TensorShapeProto *to = make(b, 1, sizeof *to);
    Onnx__TensorShapeProto__Dimension **dim = make(b, from->dims + 1, sizeof(Onnx__TensorShapeProto__Dimension *));
    Onnx__TensorShapeProto__Dimension *room = make(b, from->dims + 1, sizeof *room);
    if (b->failed) return NULL;
    onnx__tensor_shape_proto__init(to);
    for (int i = 0; i <= from->dims; i++) {
        dim[i] = &room[i];
        onnx__tensor_shape_proto__dimension__init(dim[i]);
        if (i == 0) {
            dim[i]->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            dim[i]->dim_param = text_of("batch");
        } else {
            dim[i]->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            dim[i]->dim_value = from->shape[i - 1];
        }
    }
    to->n_dim = (size_t)from->dims + 1;
    to->dim = dim;
    return to;
}

static Onnx__ValueInfoProto *port(builder *b, const gls_onnx_port *from) {
    Onnx__ValueInfoProto *to = make(b, 1, sizeof *to);
    Onnx__TypeProto *type = make(b, 1, sizeof *type);
    Onnx__TypeProto__Tensor *of = make(b, 1, sizeof *of);
    if (b->failed) return NULL;
    onnx__value_info_proto__init(to);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(of);
    to->name = text_of(from->name);
    to->type = type;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = of;
    of->has_elem_type = 1;
    of->elem_type =
        from->kind == GLS_ONNX_WHOLE ? ONNX__TENSOR_PROTO__DATA_TYPE__INT64 : ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    of->shape = port_shape(b, from);
    return to;
}

static Onnx__ValueInfoProto **ports(builder *b, const gls_onnx_list *list) {
    Onnx__ValueInfoProto **to = make(b, list->count, sizeof(Onnx__ValueInfoProto *));
    for (int64_t i = 0; !b->failed && i < list->count; i++) to[i] = port(b, (gls_onnx_port *)list->item + i);
    return to;
}

static Onnx__GraphProto *graph(builder *b) {
    gls_onnx *o = b->o;
    Onnx__GraphProto *to = make(b, 1, sizeof *to);
    Onnx__NodeProto **nodes = make(b, o->operator.count, sizeof(Onnx__NodeProto *));
    Onnx__TensorProto **tensors = make(b, o->tensor.count, sizeof(Onnx__TensorProto *));
    if (b->failed) return NULL;
    onnx__graph_proto__init(to);
    for (int64_t i = 0; !b->failed && i < o->operator.count; i++)
        nodes[i] = node(b, (gls_onnx_operator *)o->operator.item + i);
    for (int64_t i = 0; !b->failed && i < o->tensor.count; i++)
        tensors[i] = tensor(b, (gls_onnx_tensor *)o->tensor.item + i);
    to->name = text_of("glissade");
    to->n_node = (size_t)o->operator.count;
    to->node = nodes;
    to->n_initializer = (size_t)o->tensor.count;
    to->initializer = tensors;
    to->n_input = (size_t)o->input.count;
    to->input = ports(b, &o->input);
    to->n_output = (size_t)o->output.count;
    to->output = ports(b, &o->output);
    return to;
}

static Onnx__StringStringEntryProto **notes(builder *b) {
    const gls_onnx_text *from = b->o->note.item;
    int64_t count = b->o->note.count;
    Onnx__StringStringEntryProto **to = make(b, count, sizeof(Onnx__StringStringEntryProto *));
    Onnx__StringStringEntryProto *entry = make(b, count, sizeof *entry);
    for (int64_t i = 0; !b->failed && i < count; i++) {
        onnx__string_string_entry_proto__init(&entry[i]);
        entry[i].key = text_of(from[i].key);
        entry[i].value = text_of(from[i].text);
        to[i] = &entry[i];
    }
    return to;
}

/* One message in memory: protobuf itself ends at 2 GiB. */
static gls_status pack(builder *b, const Onnx__ModelProto *model, const char *path) {
    gls_context *ctx = b->o->ctx;
    size_t size = onnx__model_proto__get_packed_size(model);
    if (size > INT32_MAX)
        return gls_fail(ctx, GLS_ERR_UNSUPPORTED,
                        "%s: the model takes %zu bytes, and a file of this format at most 2 GiB", path, size);
    uint8_t *bytes = gls_alloc(ctx, (int64_t)size, 1);
    if (!bytes) return GLS_ERR_MEMORY;
    onnx__model_proto__pack(model, bytes);
    gls_writer *writer = NULL;
    gls_status status = gls_writer_open(ctx, path, &writer);
    if (status == GLS_OK) status = gls_writer_write(writer, bytes, (int64_t)size);
    if (status == GLS_OK)
        status = gls_writer_commit(writer);
    else
        gls_writer_abort(writer);
    gls_free(ctx, bytes);
    return status;
}

gls_status gls_onnx_write(gls_onnx *o, const char *path) {
    if (o->status != GLS_OK) return o->status;
    builder b = {.o = o};
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT, *opsets = &opset;
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", GLS_VERSION_MAJOR, GLS_VERSION_MINOR, GLS_VERSION_PATCH);
    opset.domain = text_of("");
    opset.has_version = 1;
    opset.version = GLS_ONNX_OPSET;
    model.has_ir_version = 1;
    model.ir_version = GLS_ONNX_IR;
    model.n_opset_import = 1;
    model.opset_import = &opsets;
    model.producer_name = text_of("glissade");
    model.producer_version = version;
    model.graph = graph(&b);
    model.n_metadata_props = (size_t)o->note.count;
    model.metadata_props = notes(&b);
    return b.failed ? GLS_ERR_MEMORY : pack(&b, &model, path);
}
