/* Small files of every format, for this room's tests of formats. */
#ifndef TESTS_DATA_FORMAT_FILES_H
#define TESTS_DATA_FORMAT_FILES_H

#include "support.h"

extern const char *const libsvm_text;
extern const unsigned char idx_images[28], idx_labels[10];

void write_png(const char *path, int width, int height, bool colour, int seed);
void write_npy(const char *path, const char *descr, bool fortran, const char *shape, const void *data, size_t size);
void write_cifar(const char *path, int records);
/* path.gz and path.xz beside it. */
void pack(const char *path);

/* Opening it as a training set fails with that status, and the message has these words. */
void refused(gls_context *ctx, const char *format, const char *path, const char *options, gls_status expected,
             const char *says);

extern char folder[512]; /* where make_files puts them */
int make_files(void **state);
int remove_files(void **state);

#endif
