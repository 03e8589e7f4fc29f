/* The context: what would otherwise be global. Inside a parallel region every worker has a message of its own, so that
 * the one a caller reads does not depend on timing (see parallel.c). */
#include "base/context.h"
#include "base/parallel.h"
#include "base/value.h"

#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Blocks of several huge pages begin at one and ask for them: an evaluation's memory is walked through at every step,
 * and small pages are looked up again and again. */
static void *default_allocate(void *user, size_t size, size_t alignment) {
    enum { HUGE_PAGE = 2 << 20, LEAST = 2 * HUGE_PAGE };
    void *block = NULL;
    if (posix_memalign(&block, size < LEAST ? alignment : HUGE_PAGE, size) != 0) return NULL;
#ifdef MADV_HUGEPAGE
    if (size >= LEAST) madvise(block, size / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
    return block;
}

static void default_release(void *user, void *block, size_t size) {
    free(block);
}

/* The processors this process may use. The call fails while the mask is smaller than the kernel's: 1024 is the C
 * library's usual size, 65536 exceeds what kernels are built for. */
int gls_processors(void) {
    for (int most = 1024; most <= 1 << 16; most *= 4) {
        cpu_set_t *set = CPU_ALLOC((size_t)most);
        if (!set) break;
        size_t bytes = CPU_ALLOC_SIZE((size_t)most);
        int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (count > 0) return count;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

const char *gls_status_name(gls_status status) {
    switch (status) {
    case GLS_OK:
        return "no error";
    case GLS_ERR_ARGUMENT:
        return "wrong argument";
    case GLS_ERR_INPUT:
        return "wrong input";
    case GLS_ERR_FILE:
        return "file error";
    case GLS_ERR_MEMORY:
        return "out of memory";
    case GLS_ERR_UNSUPPORTED:
        return "unsupported";
    case GLS_ERR_NONFINITE:
        return "non-finite value";
    case GLS_ERR_CALLBACK:
        return "callback failed";
    case GLS_ERR_INTERRUPTED:
        return "interrupted";
    case GLS_ERR_COMM:
        return "communication failed";
    case GLS_ERR_INTERNAL:
        return "internal error";
    }
    return "unknown status";
}

/* A page that a fork empties in the child: what it holds was noted in this process. Asking the system for the process's
 * number at every step would cost more than the arithmetic of a small one. Emulators (qemu 7.2) grant whatever advice
 * and follow none: who grants one that there is not is not believed. */
static void *page_of_process(void) {
#ifdef MADV_WIPEONFORK
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return NULL;
    bool honest = madvise(page, size, -1) != 0;
    if (honest && madvise(page, size, MADV_WIPEONFORK) == 0) return page;
    munmap(page, size);
#endif
    return NULL;
}

pid_t gls_context_process(const gls_context *ctx) {
    pid_t here = ctx->here ? atomic_load_explicit(ctx->here, memory_order_relaxed) : 0;
    if (here) return here;
    here = getpid();
    if (ctx->here) atomic_store_explicit(ctx->here, here, memory_order_relaxed);
    return here;
}

/* A program compiled against the other precision or another version would see other layouts, so its header passes both
 * along; patch versions may differ. Without a context there is no message, only the status. */
gls_status gls_context_create_checked(gls_context **out, const gls_context_options *options, size_t real_size,
                                      int version) {
    if (!out) return GLS_ERR_ARGUMENT;
    *out = NULL;
    if (real_size != sizeof(gls_real) || version / 100 != GLS_VERSION / 100) return GLS_ERR_ARGUMENT;
    gls_context_options defaults = {sizeof defaults};
    if (!options) options = &defaults;
    if (options->size != sizeof *options || options->threads < 0 || options->threads > GLS_MAX_THREADS)
        return GLS_ERR_ARGUMENT;

    gls_allocator allocator = {default_allocate, default_release, NULL};
    if (options->allocator) allocator = *options->allocator;
    if (!allocator.allocate || !allocator.release) return GLS_ERR_ARGUMENT;
    gls_context *ctx = allocator.allocate(allocator.user, sizeof *ctx, 64);
    if (!ctx) return GLS_ERR_MEMORY;
    memset(ctx, 0, sizeof *ctx);
    ctx->allocator = allocator;
    ctx->threads = options->threads ? options->threads : gls_processors();
    if (ctx->threads > GLS_MAX_THREADS) ctx->threads = GLS_MAX_THREADS;
    ctx->here = page_of_process();
    ctx->process = gls_context_process(ctx);
    ctx->seed = options->seed;
    ctx->comm = options->comm;
    const char *cpu = getenv("GLS_CPU");
    ctx->portable = options->portable || (cpu && strcmp(cpu, "portable") == 0);
    ctx->log = options->log;
    ctx->log_user = options->log_user;
    pthread_mutex_init(&ctx->lock, NULL);
    ctx->worker = gls_alloc(ctx, ctx->threads, sizeof *ctx->worker);
    if (!ctx->worker) {
        gls_context_destroy(ctx);
        return GLS_ERR_MEMORY;
    }
    if (cpu && *cpu && strcmp(cpu, "portable") != 0)
        gls_log(ctx, GLS_LOG_WARNING, "GLS_CPU is '%s' and changes nothing: expected portable, or no such variable",
                cpu);
    *out = ctx;
    return GLS_OK;
}

gls_status gls_context_create_child(const gls_context *parent, gls_context **out) {
    GLS_GIVEN(NULL, parent, out);
    gls_context_options options = {.size = sizeof options,
                                   .threads = 1,
                                   .seed = parent->seed,
                                   .allocator = &parent->allocator,
                                   .portable = parent->portable};
    return gls_context_create(out, &options);
}

void gls_context_destroy(gls_context *ctx) {
    if (!ctx) return;
    for (int kind = 0; kind < GLS_KIND_COUNT; kind++) gls_free(ctx, ctx->registry[kind].member);
    for (gls_name *name = ctx->names, *next; name; name = next) {
        next = name->next;
        gls_free(ctx, name);
    }
    gls_free(ctx, ctx->worker);
    if (ctx->here) munmap(ctx->here, (size_t)sysconf(_SC_PAGESIZE));
    pthread_mutex_destroy(&ctx->lock);
    ctx->allocator.release(ctx->allocator.user, ctx, sizeof *ctx);
}

static const gls_name *find_name(const gls_context *ctx, const char *text) {
    const gls_name *name = ctx->names;
    while (name && name->text != text && strcmp(name->text, text) != 0) name = name->next;
    return name;
}

const char *gls_context_name(gls_context *ctx, const char *text) {
    if (!text) return NULL;
    pthread_mutex_lock(&ctx->lock);
    const gls_name *known = find_name(ctx, text);
    pthread_mutex_unlock(&ctx->lock);
    if (known) return known->text;
    /* Not under the lock: an allocation that fails takes it to say so. Two threads may then add the same name. */
    size_t bytes = strlen(text) + 1;
    gls_name *name = gls_alloc(ctx, 1, sizeof *name + bytes);
    if (!name) return NULL;
    memcpy(name->text, text, bytes);
    pthread_mutex_lock(&ctx->lock);
    name->next = ctx->names;
    ctx->names = name;
    pthread_mutex_unlock(&ctx->lock);
    return name->text;
}

const char *gls_context_message(const gls_context *ctx) {
    if (!ctx) return "";
    const gls_worker *worker = gls_context_worker(ctx);
    return worker ? worker->notice.text : ctx->notice.text;
}

int gls_context_callback_code(const gls_context *ctx) {
    if (!ctx) return 0;
    return ctx->notice.callback_code;
}
int gls_context_threads(const gls_context *ctx) {
    if (!ctx) return 0;
    return ctx->threads;
}
uint64_t gls_context_seed(const gls_context *ctx) {
    if (!ctx) return 0;
    return ctx->seed;
}
gls_comm *gls_context_comm(const gls_context *ctx) {
    if (!ctx) return NULL;
    return ctx->comm;
}
bool gls_context_portable(const gls_context *ctx) {
    if (!ctx) return false;
    return ctx->portable;
}

void gls_interrupt(gls_context *ctx) {
    if (!ctx) return;
    atomic_store(&ctx->interrupted, true);
}
bool gls_interrupted(const gls_context *ctx) {
    for (; ctx; ctx = ctx->follows)
        if (atomic_load(&ctx->interrupted)) return true;
    return false;
}
void gls_interrupt_with(gls_context *ctx, const gls_context *other) {
    ctx->follows = other;
}
void gls_interrupt_clear(gls_context *ctx) {
    if (!ctx) return;
    atomic_store(&ctx->interrupted, false);
}

gls_status gls_fail(gls_context *ctx, gls_status status, const char *format, ...) {
    if (!ctx || !format) return status;
    /* Into a buffer first: an argument may be the message that is being replaced. */
    char text[GLS_MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    gls_worker *worker = gls_context_worker(ctx);
    if (worker) {
        memcpy(worker->notice.text, text, sizeof text);
        return status;
    }
    pthread_mutex_lock(&ctx->lock);
    memcpy(ctx->notice.text, text, sizeof text);
    pthread_mutex_unlock(&ctx->lock);
    return status;
}

gls_status gls_fail_callback(gls_context *ctx, int code, const char *what) {
    GLS_GIVEN(ctx, ctx, what);
    gls_worker *worker = gls_context_worker(ctx);
    (worker ? &worker->notice : &ctx->notice)->callback_code = code;
    return gls_fail(ctx, GLS_ERR_CALLBACK, "%s returned %d", what, code);
}

void gls_log_once(gls_context *ctx, gls_log_level level, const char *format, ...) {
    if (!ctx || !ctx->log || !format) return;
    char text[GLS_MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pthread_mutex_lock(&ctx->lock);
    bool said = find_name(ctx, text) != NULL;
    pthread_mutex_unlock(&ctx->lock);
    if (said || !gls_context_name(ctx, text)) return;
    gls_log(ctx, level, "%s", text);
}

gls_status gls_fail_null(gls_context *ctx, const char *function, const char *names, int which) {
    for (; which > 0 && strchr(names, ','); which--) names = strchr(names, ',') + 1;
    names += strspn(names, " ");
    return gls_fail(ctx, GLS_ERR_ARGUMENT, "%s: %.*s is NULL", function, (int)strcspn(names, ","), names);
}

void gls_log(gls_context *ctx, gls_log_level level, const char *format, ...) {
    if (!ctx || !ctx->log || !format) return;
    char text[GLS_MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pthread_mutex_lock(&ctx->lock);
    ctx->log(ctx->log_user, level, text);
    pthread_mutex_unlock(&ctx->lock);
}
