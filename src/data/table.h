/* The room's tables: one row a format, one row a transform. */
#ifndef GLS_DATA_TABLE_H
#define GLS_DATA_TABLE_H

#include <glissade/data.h>

#include "base/table.h"

extern const gls_member_kind gls_format_kind, gls_transform_kind;

#endif
