/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/keys.h"
#include "bench/parallel.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#define PUBLIC_EXPONENT 65537

AUTO_FREE(BN_free, BIGNUM)
AUTO_FREE(BN_CTX_free, BN_CTX)
AUTO_FREE(BIO_free_all, BIO)
AUTO_FREE(OSSL_PARAM_BLD_free, OSSL_PARAM_BLD)
AUTO_FREE(OSSL_PARAM_free, OSSL_PARAM)
AUTO_FREE(EVP_PKEY_free, EVP_PKEY)
AUTO_FREE(EVP_PKEY_CTX_free, EVP_PKEY_CTX)

static enum status find_prime(void *context, size_t item)
{
    struct key_pool *pool = context;
    AUTO(BN_freep) BIGNUM *prime = BN_new();

    do {
        if (!prime || !BN_generate_prime_ex(prime, KEY_PRIME_BYTES * 8, 0, NULL, NULL, NULL))
            return fail(FAULT, "libcrypto found no prime");
    } while (BN_mod_word(prime, PUBLIC_EXPONENT) == 1);
    if (BN_bn2binpad(prime, pool->primes[item], KEY_PRIME_BYTES) != KEY_PRIME_BYTES)
        return fail(FAULT, "a prime of odd size");
    return OK;
}

enum status key_pool_init(struct key_pool *pool, size_t keys)
{
    size_t primes = 2;

    while (primes < KEY_POOL_MAX_PRIMES && primes * (primes - 1) / 2 < keys)
        primes++;
    *pool = (struct key_pool){ .primes = parallel_memory_new(KEY_POOL_MAX_PRIMES * KEY_PRIME_BYTES), .count = primes };
    if (!pool->primes)
        return fail(FAULT, "no memory for the primes");
    return parallel_run(parallel_cores(), primes, find_prime, pool);
}

void key_pool_clear(struct key_pool *pool)
{
    parallel_memory_free(pool->primes, KEY_POOL_MAX_PRIMES * KEY_PRIME_BYTES);
    *pool = (struct key_pool){ 0 };
}

/* The numbers of an RSA private key (RFC 8017 s3.2, second representation). */
struct rsa_numbers {
    BIGNUM *n, *e, *d, *p, *q, *dp, *dq, *qi;
};

static void rsa_numbers_clear(struct rsa_numbers *r)
{
    BIGNUM *all[] = { r->n, r->e, r->d, r->p, r->q, r->dp, r->dq, r->qi };

    for (size_t i = 0; i < COUNT_OF(all); i++)
        BN_clear_free(all[i]);
}

static bool rsa_numbers_derive(struct rsa_numbers *r, BN_CTX *scratch)
{
    AUTO(BN_freep) BIGNUM *p1 = BN_dup(r->p);
    AUTO(BN_freep) BIGNUM *q1 = BN_dup(r->q);
    AUTO(BN_freep) BIGNUM *phi = BN_new();

    r->n = BN_new();
    r->e = BN_new();
    r->dp = BN_new();
    r->dq = BN_new();
    if (!p1 || !q1 || !phi || !r->n || !r->e || !r->dp || !r->dq)
        return false;
    if (!BN_sub_word(p1, 1) || !BN_sub_word(q1, 1) || !BN_mul(phi, p1, q1, scratch))
        return false;
    if (!BN_set_word(r->e, PUBLIC_EXPONENT) || !BN_mul(r->n, r->p, r->q, scratch))
        return false;
    r->d = BN_mod_inverse(NULL, r->e, phi, scratch);
    r->qi = BN_mod_inverse(NULL, r->q, r->p, scratch);
    return r->d && r->qi && BN_mod(r->dp, r->d, p1, scratch) && BN_mod(r->dq, r->d, q1, scratch);
}

static EVP_PKEY *rsa_numbers_to_key(const struct rsa_numbers *r)
{
    AUTO(OSSL_PARAM_BLD_freep) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    AUTO(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    const struct {
        const char *name;
        const BIGNUM *value;
    } parts[] = {
        { OSSL_PKEY_PARAM_RSA_N, r->n },          { OSSL_PKEY_PARAM_RSA_E, r->e },
        { OSSL_PKEY_PARAM_RSA_D, r->d },          { OSSL_PKEY_PARAM_RSA_FACTOR1, r->p },
        { OSSL_PKEY_PARAM_RSA_FACTOR2, r->q },    { OSSL_PKEY_PARAM_RSA_EXPONENT1, r->dp },
        { OSSL_PKEY_PARAM_RSA_EXPONENT2, r->dq }, { OSSL_PKEY_PARAM_RSA_COEFFICIENT1, r->qi },
    };
    EVP_PKEY *key = NULL;

    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (!builder || !OSSL_PARAM_BLD_push_BN(builder, parts[i].name, parts[i].value))
            return NULL;

    AUTO(OSSL_PARAM_freep) OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    if (!parameters || !maker || EVP_PKEY_fromdata_init(maker) <= 0)
        return NULL;
    return EVP_PKEY_fromdata(maker, &key, EVP_PKEY_KEYPAIR, parameters) > 0 ? key : NULL;
}

/* Key number `index` as libcrypto's own. */
static enum status make_evp(const struct key_pool *pool, size_t index, EVP_PKEY **out)
{
    AUTO(BN_CTX_freep) BN_CTX *scratch = BN_CTX_new();
    AUTO(rsa_numbers_clear) struct rsa_numbers numbers = { 0 };
    size_t high = 1;

    /* Pairs in the order (0,1) (0,2) (1,2) (0,3) ...: key k lies in the row of its higher prime. */
    index %= pool->count * (pool->count - 1) / 2;
    while (high * (high + 1) / 2 <= index)
        high++;
    numbers.p = BN_bin2bn(pool->primes[high], KEY_PRIME_BYTES, NULL);
    numbers.q = BN_bin2bn(pool->primes[index - high * (high - 1) / 2], KEY_PRIME_BYTES, NULL);
    if (!scratch || !numbers.p || !numbers.q || !rsa_numbers_derive(&numbers, scratch))
        return fail(FAULT, "cannot derive RSA key %zu", index);
    *out = rsa_numbers_to_key(&numbers);
    return *out ? OK : fail(FAULT, "libcrypto refuses RSA key %zu", index);
}

enum status key_pool_make(const struct key_pool *pool, size_t index, struct private_key **out)
{
    AUTO(EVP_PKEY_freep) EVP_PKEY *key = NULL;
    AUTO(BIO_free_allp) BIO *pem = BIO_new(BIO_s_mem());
    char *text = NULL;

    TRY(make_evp(pool, index, &key));
    if (!pem || !PEM_write_bio_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL))
        return fail(FAULT, "cannot write RSA key %zu", index);

    const long len = BIO_get_mem_data(pem, &text);
    return private_key_parse_pem(span_of(text, (size_t)len), "benchmark key", out);
}
