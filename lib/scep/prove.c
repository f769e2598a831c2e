/* SPDX-License-Identifier: Apache-2.0
 *
 * Step two: the message is what its signer signed, with algorithms that we take.
 */
#include "lib/scep/message.h"

/* RFC 8894 s3.2.1.5 says 16 bytes; in a reply nothing hangs on the sender's. */
static enum status check_nonce(const struct scep_message *m, const struct scep_policy *policy)
{
    const size_t len = m->attributes[SCEP_ATTRIBUTE_SENDER_NONCE].value.content.len;

    if (m->header.message_type == SCEP_CERT_REP || len == SCEP_NONCE_BYTES)
        return OK;
    if (policy->allow_odd_nonce && len >= 1 && len <= SCEP_NONCE_MAX_BYTES)
        return OK;
    return fail(BAD_INPUT, "RFC 8894 s3.2.1.5: senderNonce is %zu bytes, want %d", len, SCEP_NONCE_BYTES);
}

static enum status refuse_algorithm(struct scep_message *m, const char *what,
                                    const struct scep_algorithm *algorithm, const char *want)
{
    char text[SCEP_OID_TEXT_BYTES];

    m->is_algorithm_refused = true;
    scep_oid_text(algorithm->oid, text);
    return fail(REFUSED, "RFC 8894 s3.5.2: %s %s is not accepted here, want %s", what, text, want);
}

static bool is_digest_allowed(enum digest digest, const struct scep_policy *policy)
{
    switch (digest) {
    case DIGEST_NONE:
        return false;
    case DIGEST_MD5: /* RFC 8894 s2.9: MUST NOT, but where the operator says so */
        return policy->allow_md5;
    case DIGEST_SHA1:
        return policy->allow_sha1;
    case DIGEST_SHA256:
    case DIGEST_SHA384:
    case DIGEST_SHA512:
        return true;
    }
    return false;
}

static enum status check_signature_algorithm(struct scep_message *m)
{
    const struct scep_signature_rule *rule =
        scep_signature_rule_of(&m->signed_data.signer.signature_algorithm);

    if (!rule)
        return refuse_algorithm(m, "signature algorithm", &m->signed_data.signer.signature_algorithm,
                                "RSA with PKCS #1 v1.5, or ECDSA");
    if (rule->digest != DIGEST_NONE && rule->digest != m->header.digest)
        return fail(BAD_INPUT, "RFC 5652 s5.3: the signature algorithm goes with %s, the digest is %s",
                    scep_digest_name(rule->digest), scep_digest_name(m->header.digest));
    return OK;
}

static bool is_cipher_allowed(enum scep_cipher cipher, const struct scep_policy *policy)
{
    switch (cipher) {
    case SCEP_CIPHER_NONE:
        return false;
    case SCEP_DES_CBC: /* RFC 8894 s2.9: MUST NOT, but where the operator says so */
        return policy->allow_des;
    case SCEP_DES3_CBC:
        return policy->allow_des3;
    case SCEP_AES128_CBC:
    case SCEP_AES192_CBC:
    case SCEP_AES256_CBC:
        return true;
    }
    return false;
}

static enum status check_envelope_algorithms(struct scep_message *m, const struct scep_policy *policy)
{
    if (!m->has_envelope)
        return OK;
    if (!m->cipher || !is_cipher_allowed(m->cipher->cipher, policy))
        return refuse_algorithm(m, "content cipher", &m->envelope.content.cipher, "AES-CBC");
    if (!m->padding_is_known) {
        m->is_algorithm_refused = true;
        return fail(REFUSED, "%s", m->padding_text);
    }
    return OK;
}

static enum status check_algorithms(struct scep_message *m, const struct scep_policy *policy)
{
    if (!is_digest_allowed(m->header.digest, policy))
        return refuse_algorithm(m, "digest", &m->signed_data.signer.digest, "SHA-256, SHA-384 or SHA-512");
    TRY(check_signature_algorithm(m));
    return check_envelope_algorithms(m, policy);
}

/* RFC 8894 s3.1: a key that cannot decrypt gets its reply under the challengePassword, which only a request for a
 * certificate has, and who polls for one. */
static bool has_place_for_password(int message_type)
{
    return message_type == SCEP_PKCS_REQ || message_type == SCEP_RENEWAL_REQ || message_type == SCEP_CERT_POLL;
}

bool scep_message_needs_password(const struct scep_message *message)
{
    struct public_key *key = NULL;

    return message->signer && cert_get_key(message->signer, &key) == OK && public_key_get_spec(key).kind != KEY_RSA;
}

/* The key that must have signed: of the certificate we were given or of the embedded one. */
static enum status get_signer_key(struct scep_message *m, struct cert *given, struct public_key **out)
{
    struct cert *signer = given ? given : m->signer;

    if (!signer)
        return fail(BAD_INPUT, "RFC 8894 s2.3: the certificate of the signer is not in the message");
    if (given && !scep_entity_is(&m->signed_data.signer.id, given))
        return fail(BAD_PROOF, "RFC 5652 s5.3: somebody else signed the message");
    TRY(cert_get_key(signer, out));
    const bool is_rsa = public_key_get_spec(*out).kind == KEY_RSA;
    if (is_rsa != scep_signature_rule_of(&m->signed_data.signer.signature_algorithm)->is_rsa)
        return fail(BAD_INPUT, "RFC 5652 s5.3: the signature algorithm does not go with the signer's key");
    /* Known before anything is issued or a password burned: the answer could not be encrypted. */
    if (!is_rsa && m->header.message_type != SCEP_CERT_REP && !has_place_for_password(m->header.message_type)) {
        m->is_algorithm_refused = true;
        return fail(REFUSED,
                    "RFC 8894 s3.1: a request signed with an EC key and without a challengePassword, so that no "
                    "reply can be encrypted");
    }
    return OK;
}

static enum status check_content_type(const struct scep_message *m)
{
    if (!span_equal(m->attributes[SCEP_ATTRIBUTE_CONTENT_TYPE].value.content, scep_oid_data))
        return fail(BAD_INPUT, "RFC 5652 s11.1: the contentType attribute differs from eContentType");
    return OK;
}

static enum status check_message_digest(const struct scep_message *m)
{
    uint8_t digest[DIGEST_MAX_BYTES];
    const size_t len = digest_bytes(m->header.digest, m->content, digest);
    const struct span said = m->attributes[SCEP_ATTRIBUTE_MESSAGE_DIGEST].value.content;

    if (said.len != len)
        return fail(BAD_INPUT, "RFC 5652 s11.2: messageDigest is %zu bytes, want %zu", said.len, len);
    if (!span_equal(said, span_of(digest, len)))
        return fail(BAD_PROOF, "RFC 5652 s5.6: the content has another digest than messageDigest says");
    return OK;
}

/* Signed is the DER of the SET OF, so sorted; but some sort nothing and sign what they send. */
static enum status check_signature(const struct scep_message *m, struct public_key *key)
{
    AUTO(buf_clear) struct buf sorted = { 0 };
    const struct scep_signer_info *signer = &m->signed_data.signer;
    const struct span signature = signer->signature;

    const enum status status = public_key_verify(key, m->header.digest, m->signed_attributes, signature);
    if (status != BAD_PROOF)
        return status;
    TRY(scep_attributes_sort(signer->signed_attributes.content, &sorted));
    if (!span_equal(m->signed_attributes, buf_span(&sorted)) &&
        public_key_verify(key, m->header.digest, buf_span(&sorted), signature) == OK)
        return OK;
    return fail(BAD_PROOF, "RFC 5652 s5.6: the signature does not hold");
}

enum status scep_message_prove(struct scep_message *message, struct cert *signer,
                               const struct scep_policy *policy)
{
    struct public_key *key = NULL;

    message->is_proved = false;
    message->is_algorithm_refused = false;
    if (message->defect != OK)
        return fail(message->defect, "%s", message->defect_text);
    TRY(check_nonce(message, policy));
    TRY(check_algorithms(message, policy));
    TRY(get_signer_key(message, signer, &key));
    TRY(check_content_type(message));
    TRY(check_message_digest(message));
    TRY(check_signature(message, key));
    message->is_proved = true;
    return OK;
}
