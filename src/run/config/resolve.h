/* What the files that resolve a configuration share. */
#ifndef GLS_RUN_RESOLVE_H
#define GLS_RUN_RESOLVE_H

#include <glissade/options.h>

/* The given map (or NULL) through a member's table, with its defaults; owner speaks in messages, keys of `except` stay
 * as they are. *out is NULL on failure. */
gls_status gls_config_fill_member(gls_context *ctx, const gls_member *member, const char *owner, const gls_value *given,
                                  const char *key, const char *const *except, gls_value **out);
/* as_read.c: what was given for an option as it was read, so that every reader of config.yaml reads the same: 64000 for
 * 64k, true for yes, a text in quotes. *out is NULL for what is no plain value. */
gls_status gls_config_as_read(gls_context *ctx, const gls_options *options, const gls_option *row,
                              const gls_value *item, gls_value **out);
/* resolve_measures.c: appends the measure section, if there is one. */
gls_status gls_config_resolve_measures(gls_context *ctx, const gls_value *config, gls_value *out);
/* conflicts.c: GLS_ERR_ARGUMENT for keys of which one would silently win over another. */
gls_status gls_config_check_conflicts(gls_context *ctx, const gls_value *config);
/* GLS_ERR_ARGUMENT for what stands in `train` and is no key of it, nor near one, but a key of another section: its
 * place. */
gls_status gls_config_check_places(gls_context *ctx, const gls_value *config);

#endif
