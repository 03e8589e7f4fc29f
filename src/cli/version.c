/* `version`: version, precision and libraries of this build. */
#include <stdio.h>

#include "cli/cli.h"

static int run(const cli_args *args) {
    if (args->positionals) return cli_bad("version takes no arguments");
    gls_context *ctx = cli_context(NULL);
    if (!ctx) return CLI_FAILED;
    printf("glissade %d.%d.%d (%s)\n%s\n", GLS_VERSION_MAJOR, GLS_VERSION_MINOR, GLS_VERSION_PATCH,
           sizeof(gls_real) == 4 ? "float" : "double", gls_gemm_describe(ctx));
    gls_context_destroy(ctx);
    return CLI_DONE;
}

const cli_verb cli_version = {
    .name = "version",
    .synopsis = "version",
    .help = "show the version, the precision and the libraries in use",
    .ranks = CLI_RANKS_FIRST,
    .run = run,
};
