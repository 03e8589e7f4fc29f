/* Memory for looking at a run that is not trained: large blocks are promised by the system and take no room until they
 * are written to, so that a model larger than the machine can be summarised. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cli/cli.h"

/* Below, pages of a mapping of their own would cost more than they save; mappings begin at a page. */
enum { LEAST = 1 << 20, PAGE = 4096 };

static void *promise(void *user, size_t size, size_t alignment) {
    (void)user;
    void *block = NULL;
    if (size >= LEAST) {
        if (alignment > PAGE) return NULL;
        block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        return block == MAP_FAILED ? NULL : block;
    }
    return posix_memalign(&block, alignment, size) == 0 ? memset(block, 0, size) : NULL;
}

static void take_back(void *user, void *block, size_t size) {
    (void)user;
    if (size >= LEAST)
        munmap(block, size);
    else
        free(block);
}

const gls_allocator cli_promised_memory = {promise, take_back, NULL, true};
