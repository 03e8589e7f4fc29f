/* A line between the first rank and each other one, beside the message passing: it breaks when a process ends, however
 * it ends, so that nobody waits for one that is gone. Sockets of the operating system, which closes them. */
#ifndef GLS_COMM_LIFELINE_H
#define GLS_COMM_LIFELINE_H

#include <stdbool.h>
#include <stdint.h>

enum { GLS_LIFELINE_PLACES = 16, GLS_LIFELINE_SECRET = 16 };

/* Where the first rank listens, and what both sides prove that they mean each other with. Plain data, to be sent. */
typedef struct gls_comm_lifeline_offer {
    uint16_t port;                         /* of the network's byte order; 0: none */
    uint16_t places;                       /* addresses in use */
    uint32_t address[GLS_LIFELINE_PLACES]; /* likewise */
    unsigned char call[GLS_LIFELINE_SECRET], reply[GLS_LIFELINE_SECRET];
} gls_comm_lifeline_offer;

typedef struct gls_comm_lifeline {
    int rank, size;
    int listener;
    int *end; /* rank 0: [size], else [1]; -1: none */
} gls_comm_lifeline;

/* Rank 0 listens and fills the offer; false: it cannot. */
bool gls_comm_lifeline_offer_make(gls_comm_lifeline *line, gls_comm_lifeline_offer *offer);
/* The others answer it, and rank 0 takes them in; false: not all came within some seconds. */
bool gls_comm_lifeline_join(gls_comm_lifeline *line, const gls_comm_lifeline_offer *offer);
/* The rank that is gone, or -1. Never waits. The first rank tells the others whom it misses. */
int gls_comm_lifeline_look(gls_comm_lifeline *line);
void gls_comm_lifeline_close(gls_comm_lifeline *line);

#endif
