/* The built-in members of this room. */
#ifndef GLS_METHOD_TABLE_H
#define GLS_METHOD_TABLE_H

#include <base/table.h>

extern const gls_member *const gls_method_members[];
extern const gls_member *const gls_schedule_members[];

#endif
