/* SPDX-License-Identifier: Apache-2.0
 *
 * A bucket is one number, the time at which it will be full (the "theoretical arrival time" of the generic
 * cell rate algorithm), so that two processes can take from it at once with one atomic exchange.
 */
#include "lib/rate/rate.h"

#include "lib/base/file.h"
#include "lib/pki/pki.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#define MINUTE_US INT64_C(60000000)
#define SETS 4096
#define WAYS 8
#define SECRET_BYTES 16
#define NETWORK6_BYTES 8 /* of an IPv6 address */
#define TRIES 16

struct slot {
    _Atomic uint64_t whose; /* 0: nobody's */
    _Atomic int64_t full_us;
};

struct rates {
    uint8_t secret[SECRET_BYTES]; /* so that nobody can choose addresses that share a set */
    _Atomic int64_t places[RATE_PLACES];
    struct slot sets[SETS][WAYS];
};

/* --- Memory ----------------------------------------------------------------- */

enum status rates_create(int *out)
{
    AUTO(fd_closep) int fd = memfd_create("rates", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    uint8_t secret[SECRET_BYTES];

    if (fd < 0 || ftruncate(fd, (off_t)sizeof(struct rates)) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return fail(FAULT, "no memory for the rates: %s", strerror(errno));
    if (getrandom(secret, sizeof secret, 0) != (ssize_t)sizeof secret)
        return fail(FAULT, "no random numbers: %s", strerror(errno));
    TRY(file_write_all(fd, span_of(secret, sizeof secret)));
    *out = fd;
    fd = -1;
    return OK;
}

enum status rates_open(int fd, struct rates **out)
{
    struct stat about;

    if (fstat(fd, &about) != 0 || about.st_size != (off_t)sizeof(struct rates))
        return fail(FAULT, "this is not the memory of the rates");
    void *at = mmap(NULL, sizeof(struct rates), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return fail(FAULT, "no memory for the rates: %s", strerror(errno));
    *out = at;
    return OK;
}

void rates_close(struct rates *rates)
{
    if (rates)
        munmap(rates, sizeof *rates);
}

/* --- Buckets ------------------------------------------------------------------ */

static int64_t take_one(_Atomic int64_t *full_us, unsigned per_minute, int64_t now_us)
{
    const int64_t one_us = MINUTE_US / per_minute;
    int64_t before_us = atomic_load(full_us);

    for (;;) {
        const int64_t after_us = (before_us > now_us ? before_us : now_us) + one_us;
        if (after_us - now_us > MINUTE_US)
            return after_us - now_us - MINUTE_US;
        if (atomic_compare_exchange_weak(full_us, &before_us, after_us))
            return 0;
    }
}

int64_t rates_take_at(struct rates *rates, size_t place, unsigned per_minute, int64_t now_us)
{
    if (!per_minute || place >= RATE_PLACES)
        return 0;
    return take_one(&rates->places[place], per_minute, now_us);
}

/* --- Addresses ---------------------------------------------------------------- */

/* `family` keeps what is of different kinds apart where the bytes are the same. */
enum family { FAMILY_ADDRESS4, FAMILY_ADDRESS6, FAMILY_NAME };

static uint64_t hash_own(const struct rates *rates, enum rate_kind kind, enum family family, struct span bytes)
{
    uint8_t all[SECRET_BYTES + 2 + SHA256_BYTES], digest[SHA256_BYTES];
    uint64_t hash = 0;

    memcpy(all, rates->secret, SECRET_BYTES);
    all[SECRET_BYTES] = (uint8_t)kind;
    all[SECRET_BYTES + 1] = (uint8_t)family;
    sha256(bytes, all + SECRET_BYTES + 2);
    sha256(span_of(all, sizeof all), digest);
    memcpy(&hash, digest, sizeof hash);
    return hash ? hash : 1;
}

static uint64_t hash_address(const struct rates *rates, enum rate_kind kind, const char *address)
{
    uint8_t octets[sizeof(struct in6_addr)] = { 0 };

    if (inet_pton(AF_INET6, address, octets) == 1)
        return hash_own(rates, kind, FAMILY_ADDRESS6, span_of(octets, NETWORK6_BYTES));
    (void)inet_pton(AF_INET, address, octets); /* the others share a bucket */
    return hash_own(rates, kind, FAMILY_ADDRESS4, span_of(octets, sizeof(struct in_addr)));
}

static struct slot *find_own(struct slot *set, uint64_t whose)
{
    for (size_t i = 0; i < WAYS; i++)
        if (atomic_load(&set[i].whose) == whose)
            return &set[i];
    return NULL;
}

static struct slot *find_fullest(struct slot *set)
{
    struct slot *fullest = set;

    for (size_t i = 1; i < WAYS; i++)
        if (atomic_load(&set[i].full_us) < atomic_load(&fullest->full_us))
            fullest = &set[i];
    return fullest;
}

/* NULL where others are always quicker. */
static struct slot *find_slot(struct slot *set, uint64_t whose)
{
    for (unsigned i = 0; i < TRIES; i++) {
        struct slot *slot = find_own(set, whose);
        if (slot)
            return slot;
        slot = find_fullest(set);
        uint64_t before = atomic_load(&slot->whose);
        if (atomic_compare_exchange_strong(&slot->whose, &before, whose)) {
            atomic_store(&slot->full_us, 0);
            return slot;
        }
    }
    return NULL;
}

static int64_t take_hashed(struct rates *rates, uint64_t whose, unsigned per_minute, int64_t now_us)
{
    struct slot *slot = find_slot(rates->sets[whose % SETS], whose);

    return slot ? take_one(&slot->full_us, per_minute, now_us) : 0;
}

int64_t rates_take_for_address(struct rates *rates, enum rate_kind kind, const char *address, unsigned per_minute,
                               int64_t now_us)
{
    return per_minute ? take_hashed(rates, hash_address(rates, kind, address), per_minute, now_us) : 0;
}

/* --- Names -------------------------------------------------------------------- */

int64_t rates_take_for_name(struct rates *rates, enum rate_kind kind, struct span name, unsigned per_minute,
                            int64_t now_us)
{
    return per_minute ? take_hashed(rates, hash_own(rates, kind, FAMILY_NAME, name), per_minute, now_us) : 0;
}
