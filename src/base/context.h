/* The inside of a context; only base/ looks at it. */
#ifndef GLS_BASE_CONTEXT_H
#define GLS_BASE_CONTEXT_H

#include <glissade/options.h>

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

/* A message holds a path and a few sentences; what is longer is cut. A team of more than GLS_MAX_THREADS is taken for a
 * typing error. */
enum { GLS_MESSAGE_SIZE = 1024, GLS_MAX_THREADS = 1024 };

/* The message of one thread: the context's own, or a worker's while a parallel region runs. */
typedef struct gls_notice {
    char text[GLS_MESSAGE_SIZE];
    int callback_code;
} gls_notice;

typedef struct gls_worker {
    pthread_t thread;
    atomic_bool active; /* thread is valid: a region is running */
    gls_notice notice;
    gls_status status;
    int64_t failed; /* the task that gave status */
} gls_worker;

typedef struct gls_registry {
    const gls_member **member;
    int64_t count, capacity;
} gls_registry;

/* Names of files that values point at; they are freed with the context. */
typedef struct gls_name {
    struct gls_name *next;
    char text[];
} gls_name;

struct gls_context {
    gls_allocator allocator;
    int threads;
    uint64_t seed;
    gls_comm *comm;
    bool portable;
    void (*log)(void *user, gls_log_level level, const char *message);
    void *log_user;
    atomic_bool interrupted;
    const gls_context *follows; /* whose interruption is its own too, or NULL */
    pthread_mutex_t lock;       /* guards notice, log, names and what digest points at */
    gls_notice notice;
    _Atomic pid_t *here; /* see gls_context_process; NULL: the system is asked every time */
    pid_t process;       /* that busy tells of */
    atomic_bool busy;    /* a region of this context is running */
    gls_worker *worker;  /* [threads] */
    gls_registry registry[GLS_KIND_COUNT];
    gls_name *names;
    struct gls_file_digest *digest; /* see gls_reader_watch */
    struct gls_bound *bound;        /* see gls_source_bound */
    bool reserved;                  /* see gls_gemm_reserve */
    bool described;
    char libraries[160]; /* see gls_gemm_describe */
};

/* The calling thread's worker if a region of this context runs it, else NULL. */
gls_worker *gls_context_worker(const gls_context *ctx);

/* ctx counts as interrupted whenever other, which must outlive it, does; other NULL: by itself alone. */
void gls_interrupt_with(gls_context *ctx, const gls_context *other);
/* Keeps the libraries that the calling thread calls on one thread, until gls_omp_restore receives what this returned.
 * Being in a region is not enough: in a region of one thread omp_in_parallel() is false. */
int gls_omp_one(void);
void gls_omp_restore(int before);

#endif
