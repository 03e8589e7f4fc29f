/* What a method's from_theory gives, shown in the resolved configuration. */
#ifndef GLS_RUN_GIVES_H
#define GLS_RUN_GIVES_H

#include <glissade/method.h>

/* Beside the inputs of method.from_theory, if there is one, as `gives`: written anew, never read. */
gls_status gls_config_show_theory(gls_context *ctx, const gls_record *theory, gls_value *method);

#endif
