/* SPDX-License-Identifier: Apache-2.0
 *
 * pkcsPKIEnvelope: EnvelopedData for exactly one KeyTransRecipientInfo (RFC 8894 s3.2.2, RFC 5652 s6), or in a
 * reply for one password.
 */
#include "lib/scep/legacy.h"
#include "lib/scep/message.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>

#define KEY_MAX_BYTES 32
#define BLOCK_MAX_BYTES 16
#define ENVELOPE_ROOM 512 /* more than what stands around what is encrypted, the issuer and the key */

/* --- Shape ---------------------------------------------------------------- */

/* The RecipientInfo choices that are refused, by tag. */
static const char *recipient_kind(uint8_t tag)
{
    static const char *const names[] = {
        [1] = "KeyAgreeRecipientInfo",
        [2] = "KEKRecipientInfo",
        [3] = "PasswordRecipientInfo",
        [4] = "OtherRecipientInfo",
    };
    const unsigned number = tag & 0x1fu;

    if (!(tag & 0xc0) || number >= COUNT_OF(names) || !names[number])
        return "unknown RecipientInfo";
    return names[number];
}

/* Only what answers may be for a password: requests go to the RA, which has an RSA key. */
static bool is_for_password(const struct scep_message *m)
{
    return m->envelope.recipient.tag == DER_CONTEXT_CONSTRUCTED(3) && m->header.message_type == SCEP_CERT_REP;
}

static enum status read_recipient(struct scep_message *m)
{
    const struct der *recipient = &m->envelope.recipient;

    if (m->envelope.recipient_count != 1)
        return fail(BAD_INPUT, "RFC 8894 s3.2.2: %zu recipients, want 1", m->envelope.recipient_count);
    m->is_by_password = is_for_password(m);
    if (m->is_by_password)
        return OK;
    if (recipient->tag != DER_SEQUENCE)
        return fail(BAD_INPUT, "RFC 8894 s3.1: the recipient is by %s, want KeyTransRecipientInfo",
                    recipient_kind(recipient->tag));
    const enum status status = scep_key_transport_read(recipient->whole, &m->joined, &m->transport);
    if (status != OK)
        return fail_in(status, "RFC 5652 s6.2.1: the KeyTransRecipientInfo does not decode");
    m->has_transport = true;
    return OK;
}

static enum status read_padding(struct scep_message *m)
{
    const enum status status = m->is_by_password
                                   ? scep_password_recipient_read(m->envelope.recipient.whole, &m->password)
                                   : scep_key_transport_padding(&m->transport.algorithm, &m->padding);

    m->padding_is_known = status == OK;
    m->header.oaep = status == OK && !m->is_by_password && m->padding != KEY_PADDING_PKCS1;
    if (status != REFUSED)
        return status;
    snprintf(m->padding_text, sizeof m->padding_text, "%s", fail_text()); /* prove.c says it */
    return OK;
}

static enum status read_encrypted_content(struct scep_message *m)
{
    const struct scep_encrypted_content *content = &m->envelope.content;
    char type[SCEP_OID_TEXT_BYTES];

    if (!span_equal(content->type, scep_oid_data)) {
        scep_oid_text(content->type, type);
        return fail(BAD_INPUT, "RFC 8894 s3.2.2: the encrypted content is of type %s, want data", type);
    }
    if (content->bytes.len == 0)
        return fail(BAD_INPUT, "RFC 8894 s3.2.2: no encryptedContent");
    m->cipher = scep_cipher_rule_of(&content->cipher);
    if (!m->cipher)
        return OK;
    m->header.cipher = m->cipher->cipher;
    const struct der *iv = &content->cipher.parameter;
    if (iv->tag != DER_OCTET_STRING || iv->content.len != m->cipher->block_bytes)
        return fail(BAD_INPUT, "RFC 3565 s2.3.1: the parameter of %s is not an IV of %zu bytes",
                    m->cipher->name, m->cipher->block_bytes);
    return OK;
}

/* What was signed are the octets that came, so where they are not DER there must be a copy that is. */
static enum status read_content_info(struct scep_message *m, struct scep_content_info *out)
{
    struct span der = m->content;

    if (der_check(der) != OK) {
        TRY(ber_to_der(der, &m->inside));
        der = buf_span(&m->inside);
    }
    return scep_content_info_read(der, out);
}

enum status scep_envelope_read(struct scep_message *m)
{
    char type[SCEP_OID_TEXT_BYTES];
    struct scep_content_info inner;

    enum status status = read_content_info(m, &inner);
    if (status != OK)
        return fail_in(status, "RFC 8894 s3.2.2: the signed content is not a ContentInfo");
    if (!span_equal(inner.type, scep_oid_enveloped_data)) {
        scep_oid_text(inner.type, type);
        return fail(BAD_INPUT, "RFC 8894 s3.2.2: the signed content is of type %s, want envelopedData", type);
    }
    if (inner.content.tag != DER_SEQUENCE)
        return fail(BAD_INPUT, "RFC 5652 s6.1: envelopedData without an EnvelopedData");
    status = scep_enveloped_data_read(inner.content.whole, &m->joined, &m->envelope);
    if (status != OK)
        return fail_in(status, "RFC 5652 s6.1: the EnvelopedData does not decode");
    m->has_envelope = true;
    TRY(read_encrypted_content(m));
    TRY(read_recipient(m));
    return read_padding(m);
}

/* --- Content cipher -------------------------------------------------------- */

/* Fetched once; one context for all, reset after each use, which wipes the key. */
static EVP_CIPHER *fetched[SCEP_AES256_CBC + 1];
static EVP_CIPHER_CTX *context;

static enum status prepare_cipher(const struct scep_cipher_rule *rule)
{
    if (!context)
        context = EVP_CIPHER_CTX_new();
    if (!fetched[rule->cipher])
        fetched[rule->cipher] =
            rule->cipher == SCEP_DES_CBC ? scep_legacy_des() : EVP_CIPHER_fetch(NULL, rule->name, NULL);
    if (context && fetched[rule->cipher])
        return OK;
    ERR_clear_error();
    return fail(FAULT, "libcrypto has no %s", rule->name);
}

struct content_key {
    uint8_t key[KEY_MAX_BYTES];
    uint8_t iv[BLOCK_MAX_BYTES];
};

static void content_key_clear(struct content_key *key)
{
    explicit_bzero(key, sizeof *key);
}

/* Run the cipher over `in` with PKCS #7 padding, appending to `out`; false when it fails. */
static bool run_cipher(const struct scep_cipher_rule *rule, const struct content_key *key, bool encrypt,
                       struct span in, struct buf *out)
{
    int len = 0;
    int rest = 0;
    uint8_t *to = buf_reserve(out, in.len + BLOCK_MAX_BYTES);

    if (!to)
        return false;
    const bool done = EVP_CipherInit_ex2(context, fetched[rule->cipher], key->key, key->iv, encrypt, NULL) ==
                          1 &&
                      EVP_CipherUpdate(context, to, &len, in.ptr, (int)in.len) == 1 &&
                      EVP_CipherFinal_ex(context, to + len, &rest) == 1;
    EVP_CIPHER_CTX_reset(context);
    ERR_clear_error();
    if (done)
        out->len += (size_t)(len + rest);
    return done;
}

/* --- Opening ---------------------------------------------------------------- */

/* Every messageData is one SEQUENCE.  What a wrong key leaves behind by chance is not, and must
 * not be told from what a wrong padding leaves. */
static bool is_one_sequence(struct span der)
{
    const unsigned char *at = der.ptr;
    long len = 0;
    int tag = 0;
    int class = 0;

    const int head = der.len ? ASN1_get_object(&at, &len, &tag, &class, (long)der.len) : 0x80;
    ERR_clear_error();
    if ((head & 0x80) || tag != V_ASN1_SEQUENCE || class != V_ASN1_UNIVERSAL)
        return false;
    return (head & 1) || at + len == der.ptr + der.len;
}

/* One answer for a wrong recipient, key, padding and content. */
static enum status not_opened(struct buf *plain)
{
    buf_clear(plain);
    return fail(BAD_PROOF, "RFC 8894 s3.2.2: the pkcsPKIEnvelope is not for us or does not decrypt");
}

static const struct scep_identity *find_recipient(const struct scep_message *m,
                                                  const struct scep_identity *recipients, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (scep_entity_is(&m->transport.id, recipients[i].cert))
            return &recipients[i];
    return NULL;
}

enum status scep_envelope_open(struct scep_message *m, const uint8_t *key, bool is_right, struct buf *plain)
{
    AUTO(content_key_clear) struct content_key with = { 0 };
    const struct scep_encrypted_content *content = &m->envelope.content;

    TRY(prepare_cipher(m->cipher));
    memcpy(with.key, key, m->cipher->key_bytes);
    memcpy(with.iv, content->cipher.parameter.content.ptr, m->cipher->block_bytes);
    plain->len = 0;
    if (!run_cipher(m->cipher, &with, false, content->bytes, plain) || !is_one_sequence(buf_span(plain)) || !is_right)
        return not_opened(plain);
    return OK;
}

enum status scep_message_decrypt(struct scep_message *message, const struct scep_identity *recipients,
                                 size_t recipient_count, struct buf *plain)
{
    AUTO(content_key_clear) struct content_key key = { 0 };

    if (!message->is_proved)
        return fail(BAD_INPUT, "RFC 8894 s3.1: a message is proved before it is decrypted");
    if (!message->has_transport || !message->cipher)
        return fail(BAD_INPUT, "RFC 8894 s3.2.2: there is no pkcsPKIEnvelope");
    const struct scep_cipher_rule *cipher = message->cipher;
    const struct scep_identity *recipient = find_recipient(message, recipients, recipient_count);
    if (!recipient)
        return not_opened(plain);
    TRY(private_key_decrypt(recipient->key, message->padding, message->transport.encrypted_key,
                            cipher->key_bytes, key.key));
    return scep_envelope_open(message, key.key, true, plain);
}

/* --- Building --------------------------------------------------------------- */

void scep_put_issuer_serial(struct der_writer *der, const struct cert *cert)
{
    const size_t mark = der_open(der, DER_SEQUENCE);

    der_put_raw(der, cert_get_issuer(cert));
    der_put_unsigned(der, cert_get_serial(cert));
    der_close(der, mark);
}

static void put_recipient(struct der_writer *der, const struct cert *recipient, enum key_padding padding,
                          struct span encrypted_key)
{
    const size_t info = der_open(der, DER_SEQUENCE);

    der_put(der, DER_INTEGER, SPAN_LITERAL("\0"));
    scep_put_issuer_serial(der, recipient);
    der_put_raw(der, scep_key_transport_identifier(padding));
    der_put(der, DER_OCTET_STRING, encrypted_key);
    der_close(der, info);
}

static void put_encrypted_content(struct der_writer *der, const struct scep_cipher_rule *cipher,
                                  const struct content_key *key, struct span plain)
{
    const size_t content = der_open(der, DER_SEQUENCE);
    der_put(der, DER_OID, scep_oid_data);
    const size_t algorithm = der_open(der, DER_SEQUENCE);
    der_put(der, DER_OID, cipher->oid);
    der_put(der, DER_OCTET_STRING, span_of(key->iv, cipher->block_bytes));
    der_close(der, algorithm);
    const size_t bytes = der_open(der, DER_CONTEXT(0));
    if (der->status == OK && !run_cipher(cipher, key, true, plain, der->out))
        der->status = fail(FAULT, "libcrypto cannot encrypt a message of %zu bytes", plain.len);
    der_close(der, bytes);
    der_close(der, content);
}

/* RFC 5652 s6.1 */
#define VERSION_FOR_KEY SPAN_LITERAL("\0") /* a recipient by issuerAndSerialNumber */
#define VERSION_FOR_PASSWORD SPAN_LITERAL("\3")

static enum status write_envelope(const struct scep_cipher_rule *cipher, const struct content_key *key,
                                  struct span version, struct span recipient, struct span plain, struct buf *out)
{
    struct der_writer der = { .out = out };

    out->len = 0;
    if (!buf_reserve(out, plain.len + recipient.len + ENVELOPE_ROOM))
        der.status = fail(FAULT, "no room for an envelope of %zu bytes", plain.len);
    const size_t info = der_open(&der, DER_SEQUENCE);
    der_put(&der, DER_OID, scep_oid_enveloped_data);
    const size_t explicit = der_open(&der, DER_CONTEXT_CONSTRUCTED(0));
    const size_t data = der_open(&der, DER_SEQUENCE);
    der_put(&der, DER_INTEGER, version);
    der_put(&der, DER_SET, recipient);
    put_encrypted_content(&der, cipher, key, plain);
    der_close(&der, data);
    der_close(&der, explicit);
    der_close(&der, info);
    return der_status(&der);
}

static enum status make_content_key(enum scep_cipher cipher, const struct scep_cipher_rule **rule,
                                    struct content_key *key)
{
    *rule = scep_cipher_rule(cipher);
    if (!*rule)
        return fail(BAD_INPUT, "RFC 8894 s2.9: no content cipher is chosen");
    TRY(prepare_cipher(*rule));
    /* Key and IV at once: asking costs more than what is given. */
    if (RAND_priv_bytes((uint8_t *)key, sizeof *key) != 1)
        return fail(FAULT, "libcrypto has no random bytes");
    return OK;
}

enum status scep_envelope_build(struct span plain, struct cert *recipient, enum scep_cipher cipher,
                                enum key_padding padding, struct buf *out)
{
    AUTO(content_key_clear) struct content_key key = { 0 };
    AUTO(buf_clear) struct buf encrypted_key = { 0 };
    AUTO(buf_clear) struct buf info = { 0 };
    const struct scep_cipher_rule *rule = NULL;
    struct der_writer der = { .out = &info };
    struct public_key *to = NULL;

    TRY(make_content_key(cipher, &rule, &key));
    TRY(cert_get_key(recipient, &to));
    TRY(public_key_encrypt(to, padding, span_of(key.key, rule->key_bytes), &encrypted_key));
    put_recipient(&der, recipient, padding, buf_span(&encrypted_key));
    TRY(der_status(&der));
    return write_envelope(rule, &key, VERSION_FOR_KEY, buf_span(&info), plain, out);
}

enum status scep_envelope_build_for_password(struct span plain, struct span password, enum scep_cipher cipher,
                                             struct buf *out)
{
    AUTO(content_key_clear) struct content_key key = { 0 };
    AUTO(buf_clear) struct buf info = { 0 };
    const struct scep_cipher_rule *rule = NULL;

    TRY(make_content_key(cipher, &rule, &key));
    TRY(scep_password_recipient_write(span_of(key.key, rule->key_bytes), password, &info));
    return write_envelope(rule, &key, VERSION_FOR_PASSWORD, buf_span(&info), plain, out);
}
