/* Manual pages in roff, from the tables that make the help. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* Text as it stands: no request at the beginning of a line, hyphens that can be copied. */
static void put(const char *text) {
    bool begins = true;
    for (; *text; text++) {
        if (begins && (*text == '.' || *text == '\'')) fputs("\\&", stdout);
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else
            putchar(*text);
        begins = *text == '\n';
    }
}

static void line(const char *request, const char *text) {
    fputs(request, stdout);
    put(text);
    putchar('\n');
}

static void title(const char *verb) {
    printf(".TH GLISSADE%s", verb ? "\\-" : "");
    for (const char *c = verb ? verb : ""; *c; c++) putchar(toupper((unsigned char)*c));
    printf(" 1 \"\" \"Glissade %d.%d.%d\" \"Glissade\"\n.SH NAME\nglissade%s", GLS_VERSION_MAJOR, GLS_VERSION_MINOR,
           GLS_VERSION_PATCH, verb ? "\\-" : "");
}

/* Lines that are broken already stay so. */
static void put_details(const char *text) {
    if (!strchr(text, '\n')) {
        line("", text);
        return;
    }
    puts(".nf");
    line("", text);
    puts(".fi");
}

static void put_flag(const cli_flag *flag) {
    fputs(".TP\n.B \\-\\-", stdout);
    put(flag->name);
    if (flag->value) {
        fputs(" \\fI", stdout);
        put(flag->value);
        fputs("\\fR", stdout);
    }
    putchar('\n');
    line("", flag->help);
}

static bool put_more(const cli_verb *verb) {
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (!to) return false;
    verb->more_help(to);
    bool fine = fclose(to) == 0;
    if (fine) {
        puts(".SH CONFIGURATION\n.nf");
        put(text + strspn(text, "\n"));
        puts(".fi");
    }
    free(text);
    return fine;
}

static void exit_status(void) {
    puts(".SH EXIT STATUS\n0 success, 1 failure while running, 2 wrong usage or wrong input");
}

static int overview(void) {
    title(NULL);
    puts(" \\- train models with gradient methods that stay in control, and measure their gradients\n"
         ".SH SYNOPSIS\n.B glissade\n.I COMMAND\n[options]\n.br\n.B glissade64\n.I COMMAND\n[options]\n"
         ".SH DESCRIPTION\n.B glissade64\nis the same command in double precision.\n.SH COMMANDS");
    for (const cli_verb *const *v = cli_verbs; *v; v++) {
        printf(".TP\n.BR glissade\\-%s (1)\n", (*v)->name);
        line("", (*v)->help);
    }
    exit_status();
    return CLI_DONE;
}

int cli_manual(const cli_verb *verb) {
    if (!verb) return overview();
    title(verb->name);
    put(verb->name);
    line(" \\- ", verb->help);
    puts(".SH SYNOPSIS");
    line(".B glissade ", verb->synopsis);
    puts(".SH DESCRIPTION");
    putchar(toupper((unsigned char)*verb->help));
    put(verb->help + 1);
    puts(".");
    if (verb->details) {
        puts(".PP");
        put_details(verb->details);
    }
    if (verb->flags) puts(".SH OPTIONS");
    for (const cli_flag *f = verb->flags; f && f->name; f++) put_flag(f);
    if (verb->more_help && !put_more(verb)) return CLI_FAILED;
    exit_status();
    puts(".SH SEE ALSO\n.BR glissade (1)");
    return CLI_DONE;
}
