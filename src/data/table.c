#include "table.h"

const gls_member *const gls_format_members[] = {
    &gls_format_libsvm.member,
    &gls_format_idx.member,
    &gls_format_cifar10.member,
    &gls_format_npy.member,
    &gls_format_png.member,
    &gls_format_glyphs.member,
    NULL,
};

const gls_member *const gls_transform_members[] = {
    NULL,
};
