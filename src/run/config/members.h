/* Members of every kind by name, across the tables of all rooms. */
#ifndef GLS_RUN_MEMBERS_H
#define GLS_RUN_MEMBERS_H

#include <glissade/run.h>

/* The member of exactly that name, or NULL without a message. */
const gls_member *gls_config_member_named(gls_context *ctx, gls_kind kind, const char *name);
/* The same with a message that names the nearest; what is the kind in words, from where the name was written, or NULL.
 */
const gls_member *gls_config_member_wanted(gls_context *ctx, gls_kind kind, const char *what, const char *name,
                                           const gls_value *from);
/* A model family or a problem. */
const gls_member *gls_config_model_wanted(gls_context *ctx, const char *name, const gls_value *from);
/* A batch rule or a schedule. */
const gls_member *gls_config_batch_wanted(gls_context *ctx, const char *name, const gls_value *from);

/* gls_format_guess of a training file's value (NULL: none), which is named relative to the file that names it. */
const char *gls_config_guess_format(gls_context *ctx, const gls_value *train);

#endif
