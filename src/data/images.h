/* Writing a source as a folder of PNG files. */
#ifndef GLS_DATA_IMAGES_H
#define GLS_DATA_IMAGES_H

#include <glissade/data.h>

gls_status gls_images_write(gls_context *ctx, const gls_source *source, const char *path);

#endif
