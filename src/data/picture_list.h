/* Which pictures a folder holds, and their labels. */
#ifndef GLS_DATA_PICTURE_LIST_H
#define GLS_DATA_PICTURE_LIST_H

#include "data/source.h"

typedef struct gls_picture_list {
    gls_context *ctx;
    const char **name, **label; /* [count] allocated: names below the folder; labels "" where there are none */
    int64_t count, room;
} gls_picture_list;

/* Lines `name label` of a file; no name may lead out of the folder. GLS_ERR_INPUT naming file and line. */
gls_status gls_picture_list_read(gls_picture_list *list, const char *path);
/* FOLDER/CLASS/NAME.EXT, classes and names in alphabetical order; with `bare` FOLDER/NAME.EXT too, and without labels.
 * GLS_ERR_INPUT if there is no picture. */
gls_status gls_picture_list_find(gls_picture_list *list, const char *folder, bool bare);
void gls_picture_list_clear(gls_picture_list *list);

#endif
