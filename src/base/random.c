/* Philox4x32-10 (Salmon et al. 2011), keyed by seed and purpose, counted by block, slot and draw: a number depends on
 * its place alone, never on what was drawn before. */
#include <glissade/base.h>

#include <math.h>
#include <string.h>

#include <Random123/philox.h>

/* Spreads 64 bits over 64 bits, one to one (the finaliser of SplitMix64, Steele, Lea and Flood 2014). */
static uint64_t mix(uint64_t z) {
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t hash_text(const char *text) {
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a, 64 bits: its offset basis and prime */
    for (; *text; text++) hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash;
}

gls_random gls_random_create(uint64_t seed, const char *purpose, uint64_t draw, uint32_t slot) {
    uint64_t key = mix(seed ^ mix(hash_text(purpose)));
    gls_random random = {.key = {(uint32_t)key, (uint32_t)(key >> 32)}, .draw = draw, .slot = slot};
    return random;
}

void gls_random_block(const gls_random *random, uint32_t block, uint32_t out[4]) {
    philox4x32_ctr_t counter = {{block, random->slot, (uint32_t)random->draw, (uint32_t)(random->draw >> 32)}};
    philox4x32_key_t key = {{random->key[0], random->key[1]}};
    philox4x32_ctr_t bits = philox4x32(counter, key);
    memcpy(out, bits.v, sizeof bits.v);
}

uint32_t gls_random_u32(gls_random *random) {
    if (random->left == 0) {
        gls_random_block(random, random->element++, random->buffer);
        random->left = 4;
    }
    return random->buffer[4 - random->left--];
}

static uint64_t random_u64(gls_random *random) {
    uint64_t high = gls_random_u32(random);
    return high << 32 | gls_random_u32(random);
}

double gls_random_uniform(gls_random *random) {
    return (double)(random_u64(random) >> 11) * 0x1p-53;
}

/* Box and Muller (1958), the cosine half: four 32-bit numbers each. The factor is 2 pi. */
double gls_random_normal(gls_random *random) {
    double radius = sqrt(-2.0 * log(1.0 - gls_random_uniform(random)));
    return radius * cos(6.283185307179586 * gls_random_uniform(random));
}

/* Multiply and reject (Lemire 2019): the high word is uniform once the low words that come too often are refused. */
int64_t gls_random_below(gls_random *random, int64_t bound) {
    if (bound <= 1) return 0;
    uint64_t range = (uint64_t)bound, refused = -range % range;
    for (;;) {
        unsigned __int128 product = (unsigned __int128)random_u64(random) * range;
        if ((uint64_t)product >= refused) return (int64_t)(product >> 64);
    }
}
