/* What a sampler tells a loader of epochs to come. */
#ifndef GLS_DATA_LOADER_H
#define GLS_DATA_LOADER_H

#include <glissade/data.h>

/* Examples [begin, end) of the source come soon, or not for long: gls_source_expect, which takes its time, on a thread
 * that fetches ahead where there is one. A hint: nothing depends on it. */
void gls_loader_expect(gls_loader *loader, int64_t begin, int64_t end, bool soon);

#endif
