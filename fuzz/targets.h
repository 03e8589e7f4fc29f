/* What the fuzzers call, one function a parser, and what replays the corpora without them. */
#ifndef GLS_FUZZ_TARGETS_H
#define GLS_FUZZ_TARGETS_H

#include <stddef.h>
#include <stdint.h>

typedef struct fuzz_target {
    const char *name; /* also of its folder below fuzz/corpus */
    void (*run)(const uint8_t *data, size_t size);
} fuzz_target;

extern const fuzz_target fuzz_targets[]; /* ends with a NULL name */

#endif
