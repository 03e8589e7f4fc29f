/* Text for a terminal: words up to its width. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli.h"

int cli_width(FILE *to) {
    enum { NARROWEST = 60 }; /* below, columns of their own are left no room */
    struct winsize size;
    if (!isatty(fileno(to)) || ioctl(fileno(to), TIOCGWINSZ, &size) || !size.ws_col) return INT_MAX;
    return size.ws_col > NARROWEST ? size.ws_col : NARROWEST;
}

void cli_wrap(FILE *to, const char *text, int indent, int width) {
    int column = indent;
    bool fresh = true;
    while (*text) {
        size_t word = strcspn(text, " \n");
        if (!fresh && column + 1 + (int)word > width) {
            fprintf(to, "\n%*s", indent, "");
            column = indent;
        } else if (!fresh) {
            fputc(' ', to);
            column++;
        }
        fprintf(to, "%.*s", (int)word, text);
        column += (int)word;
        text += word;
        fresh = *text == '\n';
        if (fresh) {
            fprintf(to, "\n%*s", indent, "");
            column = indent;
        }
        if (*text) text++;
    }
    fputc('\n', to);
}
