/* Lines from the first rank to the others: made once, looked at while somebody waits. */
#include "comm/lifeline.h"

#include "base/clock.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    JOIN_SECONDS = 5,  /* all ranks come out of the same call: they need not be waited for long */
    TRY_MILLIS = 1000, /* for one address */
    IDLE_SECONDS = 5,  /* then a silent host is asked whether it is there, */
    ASK_SECONDS = 2,   /* so often, */
    ASK_TIMES = 3      /* and so many times */
};

/* A host that is gone sends nothing at all: the kernel asks. */
static void keep_asking(int end) {
    const int on = 1, idle = IDLE_SECONDS, interval = ASK_SECONDS, times = ASK_TIMES;
    setsockopt(end, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(end, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(end, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(end, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof times);
}

static void list_addresses(gls_comm_lifeline_offer *offer) {
    struct ifaddrs *first = NULL;
    if (getifaddrs(&first) != 0) return;
    for (struct ifaddrs *at = first; at && offer->places < GLS_LIFELINE_PLACES; at = at->ifa_next) {
        if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET || !(at->ifa_flags & IFF_UP)) continue;
        struct sockaddr_in found;
        memcpy(&found, at->ifa_addr, sizeof found);
        offer->address[offer->places++] = found.sin_addr.s_addr;
    }
    freeifaddrs(first);
}

bool gls_comm_lifeline_offer_make(gls_comm_lifeline *line, gls_comm_lifeline_offer *offer) {
    memset(offer, 0, sizeof *offer);
    if (getrandom(offer->call, sizeof offer->call, 0) != sizeof offer->call ||
        getrandom(offer->reply, sizeof offer->reply, 0) != sizeof offer->reply)
        return false;
    line->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (line->listener < 0) return false;
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t length = sizeof any;
    if (bind(line->listener, (struct sockaddr *)&any, sizeof any) != 0 || listen(line->listener, line->size) != 0 ||
        getsockname(line->listener, (struct sockaddr *)&any, &length) != 0)
        return false;
    offer->port = any.sin_port;
    list_addresses(offer);
    return offer->places > 0;
}

static bool ready(int end, short events, int millis) {
    struct pollfd poller = {.fd = end, .events = events};
    int found;
    do found = poll(&poller, 1, millis);
    while (found < 0 && errno == EINTR);
    return found > 0;
}

/* All n bytes, each part of them within a second. */
static bool receive(int end, void *to, size_t n) {
    for (size_t got = 0; got < n;) {
        if (!ready(end, POLLIN, TRY_MILLIS)) return false;
        ssize_t some = recv(end, (char *)to + got, n - got, 0);
        if (some <= 0) return false;
        got += (size_t)some;
    }
    return true;
}

static bool say(int end, const void *from, size_t n) {
    return send(end, from, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* What a rank calls with. */
typedef struct call {
    unsigned char secret[GLS_LIFELINE_SECRET];
    int32_t rank;
} call;

/* A connection to the first rank at this address, or -1. */
static int call_at(const gls_comm_lifeline *line, const gls_comm_lifeline_offer *offer, uint32_t address) {
    int end = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = offer->port, .sin_addr.s_addr = address};
    call mine = {.rank = line->rank};
    unsigned char reply[GLS_LIFELINE_SECRET];
    memcpy(mine.secret, offer->call, sizeof mine.secret);
    bool fine = end >= 0 && (connect(end, (struct sockaddr *)&to, sizeof to) == 0 || errno == EINPROGRESS);
    fine = fine && ready(end, POLLOUT, TRY_MILLIS) && say(end, &mine, sizeof mine) &&
           receive(end, reply, sizeof reply) && memcmp(reply, offer->reply, sizeof reply) == 0;
    if (fine) return end;
    if (end >= 0) close(end);
    return -1;
}

/* Whoever does not know the secret is no rank. */
static bool take_in(gls_comm_lifeline *line, const gls_comm_lifeline_offer *offer, int end) {
    call theirs;
    if (!receive(end, &theirs, sizeof theirs) || memcmp(theirs.secret, offer->call, sizeof theirs.secret) != 0 ||
        theirs.rank < 1 || theirs.rank >= line->size || line->end[theirs.rank] >= 0 ||
        !say(end, offer->reply, sizeof offer->reply))
        return false;
    keep_asking(end);
    line->end[theirs.rank] = end;
    return true;
}

static bool take_all_in(gls_comm_lifeline *line, const gls_comm_lifeline_offer *offer) {
    double last = gls_seconds() + JOIN_SECONDS;
    for (int missing = line->size - 1; missing > 0;) {
        if (gls_seconds() > last) return false;
        if (!ready(line->listener, POLLIN, TRY_MILLIS / 10)) continue;
        int end = accept4(line->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (end < 0) continue;
        if (take_in(line, offer, end))
            missing--;
        else
            close(end);
    }
    return true;
}

bool gls_comm_lifeline_join(gls_comm_lifeline *line, const gls_comm_lifeline_offer *offer) {
    if (!offer->port) return false;
    if (line->rank == 0) {
        bool all = take_all_in(line, offer);
        close(line->listener);
        line->listener = -1;
        return all;
    }
    for (int i = 0; i < offer->places && line->end[0] < 0; i++) line->end[0] = call_at(line, offer, offer->address[i]);
    if (line->end[0] >= 0) keep_asking(line->end[0]);
    return line->end[0] >= 0;
}

/* Whether an end is closed; *told: what the first rank said on it before. */
static bool broken(int end, int32_t *told) {
    int32_t word;
    ssize_t got = recv(end, &word, sizeof word, 0);
    if (got == sizeof word) *told = word;
    return got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

int gls_comm_lifeline_look(gls_comm_lifeline *line) {
    int32_t lost = -1, told = 0;
    if (line->rank > 0) return line->end[0] >= 0 && broken(line->end[0], &told) ? told : -1;
    for (int r = 1; r < line->size && lost < 0; r++)
        if (line->end[r] >= 0 && broken(line->end[r], &told)) lost = r;
    for (int r = 1; r < line->size && lost > 0; r++)
        if (r != lost && line->end[r] >= 0) say(line->end[r], &lost, sizeof lost);
    return lost;
}

void gls_comm_lifeline_close(gls_comm_lifeline *line) {
    if (line->listener >= 0) close(line->listener);
    for (int r = 0; line->end && r < (line->rank == 0 ? line->size : 1); r++)
        if (line->end[r] >= 0) close(line->end[r]);
    line->listener = -1;
}
