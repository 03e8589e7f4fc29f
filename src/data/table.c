/* The room's tables: one row a format or generator, one row a transform. */
#include "data/table.h"

/* clang-format off */
#define FORMATS(X) \
    X(libsvm) \
    X(idx) \
    X(cifar10) \
    X(npy) \
    X(npz) \
    X(frames) \
    X(csv) \
    X(images) \
    X(png) \
    X(text) \
    X(glyphs) \
    X(gaussians) \
    X(tones) \
    X(zipf) \
    X(spans) \
    X(sparse)

#define TRANSFORMS(X) \
    X(standardize) \
    X(pad_crop) \
    X(random_crop) \
    X(flip) \
    X(replicate) \
    X(replace) \
    X(label_noise) \
    X(insert) \
    X(subset) \
    X(mask_tokens) \
    X(classes) \
    X(weigh) \
    X(mixup) \
    X(mix)
/* clang-format on */

#define DECLARE_FORMAT(name) extern const gls_format gls_format_##name;
#define DECLARE_TRANSFORM(name) extern const gls_transform gls_transform_##name;
FORMATS(DECLARE_FORMAT)
TRANSFORMS(DECLARE_TRANSFORM)

#define FORMAT_ROW(name) &gls_format_##name.member,
#define TRANSFORM_ROW(name) &gls_transform_##name.member,
static const gls_member *const formats[] = {FORMATS(FORMAT_ROW) NULL};
static const gls_member *const transforms[] = {TRANSFORMS(TRANSFORM_ROW) NULL};
const gls_member_kind gls_format_kind = {GLS_KIND_FORMAT, "data format", formats};
const gls_member_kind gls_transform_kind = {GLS_KIND_TRANSFORM, "transform", transforms};
