/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/file.h"
#include "lib/pki/libcrypto.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <sys/stat.h>

#define KEY_FILE_MAX_BYTES ((size_t)65536)
#define RSA_MAX_OCTETS 1024

/* One context per operation, made when first used and kept: making one costs 3 us. */
struct private_key {
    EVP_PKEY *pkey;
    struct public_key *public_half;
    EVP_PKEY_CTX *sign[DIGEST_SHA512 + 1];
    EVP_PKEY_CTX *decrypt[KEY_PADDING_OAEP_SHA256 + 1];
};

void private_key_free(struct private_key *key)
{
    if (!key)
        return;
    for (size_t i = 0; i < COUNT_OF(key->sign); i++)
        EVP_PKEY_CTX_free(key->sign[i]);
    for (size_t i = 0; i < COUNT_OF(key->decrypt); i++)
        EVP_PKEY_CTX_free(key->decrypt[i]);
    public_key_free(key->public_half);
    EVP_PKEY_free(key->pkey); /* libcrypto clears private numbers */
    free(key);
}

/* --- Making ------------------------------------------------------------- */

/* The public half goes through our own reader, so that a key we would refuse from others is not used either. */
static enum status public_half_make(EVP_PKEY *pkey, struct public_key **out)
{
    unsigned char *spki = NULL;
    const int length = i2d_PUBKEY(pkey, &spki);

    if (length <= 0)
        return fail_libcrypto(BAD_INPUT, "a key without a public half");
    const enum status status = public_key_parse(span_of(spki, (size_t)length), out);
    OPENSSL_free(spki);
    return status;
}

/* Takes `pkey`, also when it fails. */
static enum status key_make(EVP_PKEY *pkey, struct private_key **out)
{
    AUTO(private_key_freep) struct private_key *key = calloc(1, sizeof *key);

    if (!key) {
        EVP_PKEY_free(pkey);
        return fail(FAULT, "no memory for a key");
    }
    key->pkey = pkey;
    TRY(public_half_make(pkey, &key->public_half));
    *out = take(key);
    return OK;
}

enum status private_key_generate(struct key_spec spec, struct private_key **out)
{
    EVP_PKEY *pkey = NULL;

    switch (spec.kind) {
    case KEY_RSA:
        pkey = EVP_RSA_gen(spec.bits);
        break;
    case KEY_EC_P256:
        pkey = EVP_EC_gen("P-256");
        break;
    case KEY_EC_P384:
        pkey = EVP_EC_gen("P-384");
        break;
    }
    if (!pkey)
        return fail_libcrypto(FAULT, "cannot generate a key");
    return key_make(pkey, out);
}

/* A file whose halves do not belong together would otherwise show only at the first client. */
static enum status halves_match(struct private_key *key)
{
    const struct span probe = SPAN_LITERAL("do these halves belong together?");
    struct buf signature = { 0 };

    enum status status = private_key_sign(key, DIGEST_SHA256, probe, &signature);
    if (status == OK)
        status = public_key_verify(key->public_half, DIGEST_SHA256, probe, buf_span(&signature));
    buf_clear(&signature);
    return status == OK ? OK : fail(BAD_INPUT, "private and public half do not belong together");
}

/* Answers "no password" instead of asking at the terminal. */
static int no_password(char *buffer, int size, int writing, void *nothing)
{
    (void)buffer, (void)size, (void)writing, (void)nothing;
    return -1;
}

enum status private_key_parse_pem(struct span pem, const char *from, struct private_key **out)
{
    if (pem.len > KEY_FILE_MAX_BYTES)
        return fail(BAD_INPUT, "%s: a key file of %zu bytes, want at most %zu", from, pem.len, KEY_FILE_MAX_BYTES);
    AUTO(BIO_free_allp) BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    if (!pkey) {
        fail_libcrypto(BAD_INPUT, "no unencrypted private key in PEM");
        return fail_in(BAD_INPUT, "%s", from);
    }
    AUTO(private_key_freep) struct private_key *key = NULL;
    enum status status = key_make(pkey, &key);
    if (status == OK)
        status = halves_match(key);
    if (status != OK)
        return fail_in(status, "%s", from);
    *out = take(key);
    return OK;
}

enum status private_key_load(const char *path, struct private_key **out)
{
    struct stat about;

    if (stat(path, &about) != 0)
        return fail(FAULT, "%s: %s", path, strerror(errno));
    if (about.st_mode & (S_IRWXG | S_IRWXO))
        return fail(REFUSED, "%s: mode %04o lets group or others at a private key, want 0600", path,
                    (unsigned)about.st_mode & 07777);
    AUTO(buf_clear) struct buf pem = { 0 };
    TRY(file_read(path, KEY_FILE_MAX_BYTES, &pem));
    return private_key_parse_pem(buf_span(&pem), path, out);
}

enum status private_key_write_pem(const struct private_key *key, struct buf *out)
{
    AUTO(BIO_free_allp) BIO *bio = BIO_new(BIO_s_mem()); /* wiped when freed */

    if (!bio || !PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL))
        return fail_libcrypto(FAULT, "cannot write a private key");
    return bio_take(bio, out);
}

struct public_key *private_key_get_public(struct private_key *key)
{
    return key->public_half;
}

/* --- Signing ------------------------------------------------------------ */

static EVP_PKEY_CTX *sign_context(struct private_key *key, enum digest digest)
{
    if (key->sign[digest])
        return key->sign[digest];
    AUTO(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    if (!context || EVP_PKEY_sign_init(context) <= 0)
        return NULL;
    if (EVP_PKEY_is_a(key->pkey, "RSA") && EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) <= 0)
        return NULL;
    if (EVP_PKEY_CTX_set_signature_md(context, digest_md(digest)) <= 0)
        return NULL;
    return key->sign[digest] = take(context);
}

enum status private_key_sign(struct private_key *key, enum digest digest, struct span message, struct buf *out)
{
    uint8_t hash[DIGEST_MAX_BYTES];

    if (digest == DIGEST_NONE)
        return fail(BAD_INPUT, "a signature without a digest");
    EVP_PKEY_CTX *context = sign_context(key, digest);
    if (!context)
        return fail_libcrypto(FAULT, "cannot prepare to sign");
    const size_t hash_bytes = digest_bytes(digest, message, hash);
    size_t length = (size_t)EVP_PKEY_get_size(key->pkey);
    out->len = 0;
    uint8_t *to = buf_reserve(out, length);
    if (!to)
        return fail(FAULT, "no room for a signature");
    if (EVP_PKEY_sign(context, to, &length, hash, hash_bytes) <= 0)
        return fail_libcrypto(FAULT, "cannot sign");
    out->len = length;
    return OK;
}

/* --- Decrypting, with implicit rejection -------------------------------- */

/* 0xff where `byte` is zero, else 0; no branch. */
static uint8_t mask_if_zero(uint8_t byte)
{
    return (uint8_t)(((unsigned)byte - 1) >> 8);
}

/* PKCS #1 v1.5 block type 2: 00 02 <nonzero octets> 00 <want octets>, told by a mask.  As `want` is known,
 * the padding's length is too, and nothing here depends on the content.
 * 3.0's own check tells good from bad by its result, so the padding is undone here. */
static uint8_t pkcs1_mask(const uint8_t *block, size_t size, size_t want)
{
    const size_t zero_at = size - want - 1;
    uint8_t good = mask_if_zero(block[0]) & mask_if_zero(block[1] ^ 2) & mask_if_zero(block[zero_at]);

    for (size_t i = 2; i < zero_at; i++)
        good &= (uint8_t)~mask_if_zero(block[i]);
    return good;
}

static EVP_PKEY_CTX *decrypt_context(struct private_key *key, enum key_padding padding)
{
    if (key->decrypt[padding])
        return key->decrypt[padding];
    AUTO(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    if (!context || EVP_PKEY_decrypt_init(context) <= 0)
        return NULL;
    const bool oaep = padding != KEY_PADDING_PKCS1;
    const enum digest digest = padding == KEY_PADDING_OAEP_SHA1 ? DIGEST_SHA1 : DIGEST_SHA256;
    if (EVP_PKEY_CTX_set_rsa_padding(context, oaep ? RSA_PKCS1_OAEP_PADDING : RSA_NO_PADDING) <= 0)
        return NULL;
    if (oaep && EVP_PKEY_CTX_set_rsa_oaep_md(context, digest_md(digest)) <= 0)
        return NULL;
    return key->decrypt[padding] = take(context);
}

enum status private_key_decrypt(struct private_key *key, enum key_padding padding, struct span cipher, size_t want,
                                uint8_t *out)
{
    uint8_t block[RSA_MAX_OCTETS] = { 0 };
    const size_t size = (size_t)EVP_PKEY_get_size(key->pkey);
    size_t length = sizeof block;

    if (!EVP_PKEY_is_a(key->pkey, "RSA"))
        return fail(BAD_INPUT, "an EC key cannot decrypt; key transport needs RSA");
    if (want == 0 || want + 11 > size || size > sizeof block)
        return fail(BAD_INPUT, "%zu bytes do not fit under an RSA key of %zu", want, size);
    EVP_PKEY_CTX *context = decrypt_context(key, padding);
    if (!context)
        return fail_libcrypto(FAULT, "cannot prepare to decrypt");
    if (RAND_bytes(out, (int)want) != 1) /* the answer, unless everything is right */
        return fail_libcrypto(FAULT, "no random bytes");
    /* The length of the cipher text, and whether it exceeds the modulus, is public: those may fail early. */
    const bool decrypted = EVP_PKEY_decrypt(context, block, &length, cipher.ptr, cipher.len) > 0;
    const bool oaep = padding != KEY_PADDING_PKCS1;
    uint8_t good = 0;
    if (decrypted && length == (oaep ? want : size))
        good = oaep ? 0xff : pkcs1_mask(block, size, want);
    const uint8_t *plain = oaep ? block : block + size - want;
    for (size_t i = 0; i < want; i++)
        out[i] = (uint8_t)((plain[i] & good) | (out[i] & ~good));
    explicit_bzero(block, sizeof block);
    ERR_clear_error(); /* nobody may learn why it failed */
    return OK;
}
