/* Where the runs are below a folder. */
#ifndef GLS_REPORT_WALK_H
#define GLS_REPORT_WALK_H

#include <glissade/base.h>

/* One run, or runs that differ in their seed alone (FOLDER/seed-1, FOLDER/seed-2, ...). */
typedef struct gls_report_place {
    char *folder;
    char *name;  /* path below the folder that was walked; "" for that folder itself */
    char **seed; /* [seeds] names of the seeds' folders, ascending; NULL: a plain run */
    int64_t seeds;
    char *sweep; /* the folder of the sweep that it is a trial of; NULL: none */
} gls_report_place;

typedef struct gls_report_places {
    gls_context *ctx;
    gls_report_place *place;
    int64_t count;
} gls_report_places;

/* Every run in a folder and in the folders below it, in the order of their names, numbers by their value; a run's own
 * folder is not looked into, and links are not followed. GLS_ERR_INPUT naming the folder if there is none. Clear *out
 * in any case. */
gls_status gls_report_places_find(gls_context *ctx, const char *folder, gls_report_places *out);
void gls_report_places_clear(gls_report_places *places);
/* Whether the run, or each of the seeds that it is to have, has ended. */
bool gls_report_place_ended(gls_context *ctx, const gls_report_place *place);

#endif
