/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: certificates of any rank, made in a moment, and a folder that goes away again.
 */
#pragma once

#include "lib/pki/pki.h"

struct party {
    struct private_key *key;
    struct cert *cert;
};

/* What a party's certificate shall say. */
struct draft {
    const char *name;                /* its subject, RFC 4514 */
    const struct party *issuer;      /* NULL: self-signed */
    struct private_key *key;         /* taken; NULL: a new EC key */
    struct span spki;                /* a key that we do not have; then `key` is not used */
    bool is_ca;
    unsigned key_usage;              /* 0: what its rank needs */
    const char *extended_key_usage;  /* dotted; NULL: none */
    const char *dns;                 /* an alternative name; NULL: none */
    int64_t not_after_s;             /* 0: a day from now */
};

/* Ends the program when it fails. */
void party_make(struct party *party, const struct draft *draft);
void party_clear(struct party *party);

/* A second handle on the party's certificate, for a list that owns what it holds. */
struct cert *party_copy_cert(const struct party *party);

/* End the program where a step of the fixture fails. */
void must(enum status status, const char *what);

/* A new empty folder under the system's one for temporary files; and away with it and all in it. */
void folder_make(char path[64]);
void folder_remove(const char *path);
