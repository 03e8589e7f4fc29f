/* libFuzzer's entry: FUZZ_TARGET names the row of the table. */
#include "targets.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (const fuzz_target *t = fuzz_targets; t->name; t++)
        if (strcmp(t->name, FUZZ_TARGET) == 0) {
            t->run(data, size);
            return 0;
        }
    abort();
}
