#include "table.h"

const gls_member *const gls_format_members[] = {
    &gls_format_libsvm.member,    &gls_format_idx.member,    &gls_format_cifar10.member,
    &gls_format_npy.member,       &gls_format_png.member,    &gls_format_glyphs.member,
    &gls_format_gaussians.member, &gls_format_sparse.member, NULL,
};

const gls_member *const gls_transform_members[] = {
    &gls_transform_standardize.member,
    &gls_transform_pad_crop.member,
    &gls_transform_flip.member,
    &gls_transform_replicate.member,
    &gls_transform_replace.member,
    &gls_transform_label_noise.member,
    &gls_transform_insert.member,
    &gls_transform_subset.member,
    &gls_transform_classes.member,
    &gls_transform_mix.member,
    NULL,
};
