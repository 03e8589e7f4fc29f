/* The room's tables: one row a format, one row a transform. */
#ifndef GLS_DATA_TABLE_H
#define GLS_DATA_TABLE_H

#include <glissade/data.h>

extern const gls_member *const gls_format_members[];
extern const gls_member *const gls_transform_members[];

#endif
