/* The targets of the data formats. */
#ifndef GLS_FUZZ_SOURCES_H
#define GLS_FUZZ_SOURCES_H

#include <stddef.h>
#include <stdint.h>

void fuzz_idx(const uint8_t *data, size_t size);
void fuzz_idx_labels(const uint8_t *data, size_t size);
void fuzz_cifar(const uint8_t *data, size_t size);
void fuzz_npy(const uint8_t *data, size_t size);
void fuzz_npy_targets(const uint8_t *data, size_t size);
void fuzz_png_labels(const uint8_t *data, size_t size);
void fuzz_text(const uint8_t *data, size_t size);
void fuzz_picture(const uint8_t *data, size_t size);
void fuzz_png(const uint8_t *data, size_t size);
void fuzz_csv(const uint8_t *data, size_t size);
void fuzz_libsvm(const uint8_t *data, size_t size);
void fuzz_labelled(const uint8_t *data, size_t size);
void fuzz_frames(const uint8_t *data, size_t size);
void fuzz_npz(const uint8_t *data, size_t size);

#endif
