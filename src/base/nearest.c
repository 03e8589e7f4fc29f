/* The known name nearest to a mistyped one, for messages. */
#include <glissade/base.h>

#include <ctype.h>
#include <string.h>

enum { LONGEST = 63 }; /* names are shorter; what is longer is compared up to here */

static int lower(char c) {
    return tolower((unsigned char)c);
}

/* Insertions, deletions, changes and swaps of neighbours that make b of a, letter case apart. */
static int distance(const char *a, const char *b) {
    int m = (int)strnlen(a, LONGEST), n = (int)strnlen(b, LONGEST);
    int row[3][LONGEST + 1]; /* rows i-2, i-1 and i, cyclically */
    for (int j = 0; j <= n; j++) row[0][j] = j;
    for (int i = 1; i <= m; i++) {
        const int *before = row[(i + 2) % 3], *two_before = row[(i + 1) % 3];
        int *now = row[i % 3];
        now[0] = i;
        for (int j = 1; j <= n; j++) {
            int best = before[j - 1] + (lower(a[i - 1]) != lower(b[j - 1]));
            if (before[j] + 1 < best) best = before[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]) &&
                two_before[j - 2] + 1 < best)
                best = two_before[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[m % 3][n];
}

const char *gls_nearest(const char *name, const char *(*next)(const void *user, int64_t i), const void *user) {
    if (!name || !next) return NULL;
    const char *nearest = NULL, *known;
    int length = (int)strnlen(name, LONGEST);
    int least = (length + 2) / 3 + 1; /* one mistake in three letters; beyond that it is another word */
    for (int64_t i = 0; (known = next(user, i)); i++) {
        int d = distance(name, known);
        if (d < least) {
            least = d;
            nearest = known;
        }
    }
    return nearest;
}
