/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: a CA, an RA and a client with fresh RSA-2048 keys, and a forge that makes messages
 * that are wrong in one place and signed all the same.
 */
#pragma once

#include "lib/scep/message.h"

#include <openssl/x509.h>

#define FIXTURE_NOW_S INT64_C(1795000000)

struct party {
    struct private_key *key;
    struct cert *cert;
    struct buf der;
};

struct fixture {
    struct party ca;
    struct party ra;
    struct party client; /* self-signed */
    struct party ec;     /* self-signed, P-256 */
    struct buf issued;   /* the client's certificate from the CA */
    struct buf csr;
    struct cert_list ca_certs; /* CA and RA, as GetCACert brings them */
    uint8_t nonce[SCEP_NONCE_BYTES];
};

/* Made once per test program; ends the program when it fails. */
struct fixture *fixture_get(void);
void fixture_free(void);

struct scep_identity fixture_identity(const struct party *party);

/* A good request of the client to the RA: PKCSReq, AES-128, SHA-256. */
struct scep_request fixture_request(const struct fixture *f);
struct scep_expectation fixture_expectation(const struct fixture *f);

/* One element of SignedData that differs from a good request's; empty spans leave it alone. */
#define FORGE_EXTRA_MAX 4
struct forge {
    uint32_t left_out;                  /* bits of enum scep_attribute */
    struct span extra[FORGE_EXTRA_MAX]; /* more attributes, DER */
    size_t extra_count;
    struct span digest_algorithms;    /* the whole SET */
    struct span encap_content;        /* the whole EncapsulatedContentInfo */
    struct span content;              /* eContent's octets */
    struct span certificates;         /* the whole [0] */
    struct span signer_id;            /* the whole SignerIdentifier */
    struct span digest_identifier;    /* the SignerInfo's digestAlgorithm */
    struct span signature_identifier; /* the SignerInfo's signatureAlgorithm */
    size_t signer_count;              /* 0 means 1 */
    enum digest digest;               /* NONE means SHA-256 */
    bool is_unsorted;                 /* attributes are sent and signed in the wrong order */
    bool is_sent_unsorted;            /* sent in the wrong order, signed sorted */
    bool is_without_certificates;     /* no [0] at all */
    bool is_ber;                      /* indefinite lengths and a constructed eContent */
    const struct party *signer;       /* NULL: the client */
};

/* Replaces `out`; ends the program when it fails. */
void forge_message(const struct fixture *f, const struct forge *forge, struct buf *out);

/* The EnvelopedData (a ContentInfo) of a good request, to be bent. */
void forge_envelope(const struct fixture *f, enum scep_cipher cipher, enum key_padding padding,
                    struct buf *out);

/* DER of one attribute with the given values (the SET's content). */
void forge_attribute(enum scep_attribute kind, struct span values, struct buf *out);

/* The party as OpenSSL knows it, for its own CMS; X509_free() and EVP_PKEY_free() it. */
X509 *party_make_x509(const struct party *party);
EVP_PKEY *party_make_pkey(const struct party *party);

/* fixture_free() as the teardown of a group of tests. */
int fixture_forget(void **state);

/* End the program where a step of the fixture fails. */
void must(enum status status, const char *what);
