/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/limit.h"
#include "bench/parallel.h"
#include "lib/base/clock.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <sys/resource.h>

#define CLIENTS 8
#define ENVELOPE_BYTES 1536   /* of a PKCSReq with RSA-2048, as hashed for messageDigest */
#define ATTRIBUTES_BYTES 300  /* signedAttrs */
#define REQUEST_BYTES 736     /* CSR */
#define CERTIFICATE_BYTES 1024
#define RSA_MAX_BYTES 1024
#define AES_KEY_BYTES 16

AUTO_FREE(EVP_PKEY_CTX_free, EVP_PKEY_CTX)

/* One client's message, taken apart into what the cryptography sees. */
struct sample {
    EVP_PKEY *key;
    uint8_t message_signature[RSA_MAX_BYTES];
    uint8_t request_signature[RSA_MAX_BYTES];
    size_t signature_len;
    uint8_t sealed_key[RSA_MAX_BYTES];
    size_t sealed_key_len;
    uint8_t iv[AES_KEY_BYTES];
    uint8_t sealed[REQUEST_BYTES + AES_KEY_BYTES];
    size_t sealed_len;
};

struct limit_keys {
    struct limit_kind kind;
    EVP_MD *sha256;
    EVP_CIPHER *aes;
    EVP_PKEY *ca;
    EVP_PKEY *ra;
    uint8_t content[ENVELOPE_BYTES];
    struct sample samples[CLIENTS];
};

/* What a server process keeps between transactions. */
struct worker {
    const struct limit_keys *keys;
    EVP_PKEY_CTX *open;
    EVP_PKEY_CTX *certify;
    EVP_PKEY_CTX *reply;
    EVP_CIPHER_CTX *cipher;
    EVP_MD_CTX *hash;
};

static EVP_PKEY *make_key(struct key_spec spec)
{
    switch (spec.kind) {
    case KEY_RSA:
        return EVP_RSA_gen(spec.bits);
    case KEY_EC_P256:
        return EVP_EC_gen("P-256");
    case KEY_EC_P384:
        return EVP_EC_gen("P-384");
    }
    return NULL;
}

static bool set_padding(EVP_PKEY_CTX *context)
{
    return !EVP_PKEY_is_a(EVP_PKEY_CTX_get0_pkey(context), "RSA") ||
           EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) > 0;
}

static EVP_PKEY_CTX *signer_new(EVP_PKEY *key, const EVP_MD *digest)
{
    AUTO(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);

    if (!context || EVP_PKEY_sign_init(context) <= 0 || !set_padding(context))
        return NULL;
    return EVP_PKEY_CTX_set_signature_md(context, digest) > 0 ? take(context) : NULL;
}

static bool hash(struct worker *w, const uint8_t *data, size_t len, uint8_t out[SHA256_BYTES])
{
    return EVP_DigestInit_ex2(w->hash, w->keys->sha256, NULL) && EVP_DigestUpdate(w->hash, data, len) &&
           EVP_DigestFinal_ex(w->hash, out, NULL);
}

static bool hash_and_sign(struct worker *w, EVP_PKEY_CTX *signer, size_t len, uint8_t *out, size_t *out_len)
{
    uint8_t digest[SHA256_BYTES];

    *out_len = RSA_MAX_BYTES;
    return hash(w, w->keys->content, len, digest) && EVP_PKEY_sign(signer, out, out_len, digest, sizeof(digest)) > 0;
}

static bool seal_key(EVP_PKEY *recipient, const uint8_t key[AES_KEY_BYTES], uint8_t *out, size_t *out_len)
{
    AUTO(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(recipient, NULL);

    *out_len = RSA_MAX_BYTES;
    return context && EVP_PKEY_encrypt_init(context) > 0 && set_padding(context) &&
           EVP_PKEY_encrypt(context, out, out_len, key, AES_KEY_BYTES) > 0;
}

static bool encrypt(struct worker *w, const uint8_t *key, const uint8_t *iv, size_t len, uint8_t *out, size_t *out_len)
{
    int first = 0;
    int last = 0;

    if (!EVP_EncryptInit_ex2(w->cipher, w->keys->aes, key, iv, NULL) ||
        !EVP_EncryptUpdate(w->cipher, out, &first, w->keys->content, (int)len) ||
        !EVP_EncryptFinal_ex(w->cipher, out + first, &last))
        return false;
    *out_len = (size_t)(first + last);
    return true;
}

static bool decrypt(struct worker *w, const uint8_t *key, const struct sample *s)
{
    uint8_t plain[sizeof(s->sealed) + AES_KEY_BYTES];
    int first = 0;
    int last = 0;

    return EVP_DecryptInit_ex2(w->cipher, w->keys->aes, key, s->iv, NULL) &&
           EVP_DecryptUpdate(w->cipher, plain, &first, s->sealed, (int)s->sealed_len) &&
           EVP_DecryptFinal_ex(w->cipher, plain + first, &last);
}

static bool verify_both(struct worker *w, const struct sample *s)
{
    AUTO(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(s->key, NULL);
    uint8_t digest[SHA256_BYTES];

    if (!context || EVP_PKEY_verify_init(context) <= 0 || !set_padding(context) ||
        EVP_PKEY_CTX_set_signature_md(context, w->keys->sha256) <= 0)
        return false;
    if (!hash(w, w->keys->content, ATTRIBUTES_BYTES, digest) ||
        EVP_PKEY_verify(context, s->message_signature, s->signature_len, digest, sizeof(digest)) <= 0)
        return false;
    return hash(w, w->keys->content, REQUEST_BYTES, digest) &&
           EVP_PKEY_verify(context, s->request_signature, s->signature_len, digest, sizeof(digest)) > 0;
}

/* Everything that cannot be left out of one enrolment. */
static bool transaction(struct worker *w, const struct sample *s)
{
    uint8_t key[2 * AES_KEY_BYTES];
    uint8_t opened[RSA_MAX_BYTES];
    uint8_t digest[SHA256_BYTES];
    uint8_t sealed[CERTIFICATE_BYTES + 2 * AES_KEY_BYTES];
    uint8_t scratch[RSA_MAX_BYTES];
    size_t len = sizeof(opened);

    if (!hash(w, w->keys->content, ENVELOPE_BYTES, digest) || !verify_both(w, s))
        return false;
    if (EVP_PKEY_decrypt(w->open, opened, &len, s->sealed_key, s->sealed_key_len) <= 0 || !decrypt(w, opened, s))
        return false;
    if (!hash_and_sign(w, w->certify, CERTIFICATE_BYTES - 300, scratch, &len))
        return false;
    if (RAND_bytes(key, sizeof(key)) != 1 || !seal_key(s->key, key, scratch, &len))
        return false;
    if (!encrypt(w, key, key + AES_KEY_BYTES, CERTIFICATE_BYTES, sealed, &len) || !hash(w, sealed, len, digest))
        return false;
    return hash_and_sign(w, w->reply, ATTRIBUTES_BYTES, scratch, &len);
}

static void worker_clear(struct worker *w)
{
    EVP_PKEY_CTX_free(w->open);
    EVP_PKEY_CTX_free(w->certify);
    EVP_PKEY_CTX_free(w->reply);
    EVP_CIPHER_CTX_free(w->cipher);
    EVP_MD_CTX_free(w->hash);
}

static enum status worker_init(struct worker *w, const struct limit_keys *keys)
{
    *w = (struct worker){
        .keys = keys,
        .open = EVP_PKEY_CTX_new(keys->ra, NULL),
        .certify = signer_new(keys->ca, keys->sha256),
        .reply = signer_new(keys->ra, keys->sha256),
        .cipher = EVP_CIPHER_CTX_new(),
        .hash = EVP_MD_CTX_new(),
    };
    if (!w->open || !w->certify || !w->reply || !w->cipher || !w->hash)
        return fail(FAULT, "libcrypto gives no contexts");
    if (EVP_PKEY_decrypt_init(w->open) <= 0 || !set_padding(w->open))
        return fail(FAULT, "libcrypto cannot decrypt with the RA key");
    return OK;
}

static enum status sample_make(struct worker *w, struct sample *s)
{
    uint8_t key[AES_KEY_BYTES];

    s->key = EVP_RSA_gen(2048);
    AUTO(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *signer = s->key ? signer_new(s->key, w->keys->sha256) : NULL;
    if (!signer || RAND_bytes(key, sizeof(key)) != 1 || RAND_bytes(s->iv, sizeof(s->iv)) != 1)
        return fail(FAULT, "libcrypto cannot make a client key");
    if (!hash_and_sign(w, signer, ATTRIBUTES_BYTES, s->message_signature, &s->signature_len) ||
        !hash_and_sign(w, signer, REQUEST_BYTES, s->request_signature, &s->signature_len))
        return fail(FAULT, "libcrypto cannot sign");
    if (!seal_key(w->keys->ra, key, s->sealed_key, &s->sealed_key_len) ||
        !encrypt(w, key, s->iv, REQUEST_BYTES, s->sealed, &s->sealed_len))
        return fail(FAULT, "libcrypto cannot encrypt");
    return OK;
}

enum status limit_keys_new(const struct limit_kind *kind, struct limit_keys **out)
{
    AUTO(limit_keys_freep) struct limit_keys *keys = calloc(1, sizeof(*keys));
    AUTO(worker_clear) struct worker w = { 0 };

    if (!keys)
        return fail(FAULT, "no memory");
    keys->kind = *kind;
    keys->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    keys->aes = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL);
    keys->ca = make_key(kind->ca);
    keys->ra = make_key(kind->ra);
    if (!keys->sha256 || !keys->aes || !keys->ca || !keys->ra ||
        RAND_bytes(keys->content, sizeof(keys->content)) != 1)
        return fail(FAULT, "libcrypto cannot make the keys");
    TRY(worker_init(&w, keys));
    for (size_t i = 0; i < CLIENTS; i++)
        TRY(sample_make(&w, &keys->samples[i]));
    *out = take(keys);
    return OK;
}

void limit_keys_free(struct limit_keys *keys)
{
    if (!keys)
        return;
    for (size_t i = 0; i < CLIENTS; i++)
        EVP_PKEY_free(keys->samples[i].key);
    EVP_PKEY_free(keys->ca);
    EVP_PKEY_free(keys->ra);
    EVP_CIPHER_free(keys->aes);
    EVP_MD_free(keys->sha256);
    free(keys);
}

struct share {
    double per_s;
    double cpu_us;
};

struct measurement {
    const struct limit_keys *keys;
    unsigned duration_ms;
    struct share *shares; /* shared memory, one for each process */
};

static double cpu_used_us(void)
{
    struct rusage usage = { 0 };

    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static enum status run_worker(void *context, size_t item)
{
    const struct measurement *m = context;
    AUTO(worker_clear) struct worker w = { 0 };
    unsigned long done = 0;

    TRY(worker_init(&w, m->keys));
    const double cpu_before_us = cpu_used_us();
    const int64_t start_us = clock_monotonic_us();
    int64_t now_us = start_us;
    while (now_us - start_us < (int64_t)m->duration_ms * 1000) {
        if (!transaction(&w, &m->keys->samples[done++ % CLIENTS]))
            return fail(FAULT, "a transaction of the raw limit failed");
        now_us = clock_monotonic_us();
    }
    m->shares[item].per_s = (double)done * 1e6 / (double)(now_us - start_us);
    m->shares[item].cpu_us = (cpu_used_us() - cpu_before_us) / (double)done;
    return OK;
}

enum status limit_measure(const struct limit_keys *keys, unsigned duration_ms, struct limit *out)
{
    const size_t bytes = keys->kind.processes * sizeof(struct share);
    struct measurement m = { .keys = keys, .duration_ms = duration_ms, .shares = parallel_memory_new(bytes) };
    struct limit sum = { 0 };

    if (!m.shares)
        return fail(FAULT, "no memory");
    const enum status status = parallel_run(keys->kind.processes, keys->kind.processes, run_worker, &m);
    for (unsigned i = 0; i < keys->kind.processes; i++) {
        sum.per_s += m.shares[i].per_s;
        sum.cpu_us += m.shares[i].cpu_us / keys->kind.processes;
    }
    parallel_memory_free(m.shares, bytes);
    TRY(status);
    *out = sum;
    return OK;
}
