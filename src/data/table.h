/* The room's tables: one row a format, one row a transform. */
#ifndef GLS_DATA_TABLE_H
#define GLS_DATA_TABLE_H

#include <glissade/data.h>

extern const gls_member *const gls_format_members[];
extern const gls_member *const gls_transform_members[];

extern const gls_format gls_format_libsvm, gls_format_idx, gls_format_cifar10, gls_format_npy, gls_format_png;
extern const gls_format gls_format_glyphs, gls_format_gaussians, gls_format_sparse;

extern const gls_transform gls_transform_standardize, gls_transform_pad_crop, gls_transform_flip;
extern const gls_transform gls_transform_replicate, gls_transform_replace, gls_transform_label_noise;
extern const gls_transform gls_transform_insert, gls_transform_subset, gls_transform_classes, gls_transform_mix;

#endif
