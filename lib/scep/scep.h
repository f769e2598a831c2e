/* SPDX-License-Identifier: Apache-2.0
 *
 * SCEP's messages (RFC 8894), built and read; the same files serve client and server.
 *
 * Knows: pkiMessage = SignedData(EnvelopedData(messageData)), the attributes, capabilities,
 * certs-only bundles.  Does not know: HTTP, who may enrol, what a certificate must say.
 *
 * Reading a message goes in three steps, and the order is the defence: parse (strict shape, no
 * cryptography), prove (the signature), decrypt.  PKCS7_* and CMS_* are not used.
 */
#pragma once

#include "lib/pki/pki.h"

#define SCEP_MESSAGE_MAX_BYTES ((size_t)65536)
#define SCEP_NONCE_BYTES 16
#define SCEP_NONCE_MAX_BYTES 64 /* longer ones are not echoed */
#define SCEP_TRANSACTION_MAX_BYTES 1024

enum scep_message_type {
    SCEP_TYPE_NONE = 0, /* missing, doubled, or not a number */
    SCEP_CERT_REP = 3,
    SCEP_RENEWAL_REQ = 17,
    SCEP_PKCS_REQ = 19,
    SCEP_CERT_POLL = 20,
    SCEP_GET_CERT = 21,
    SCEP_GET_CRL = 22,
};

enum scep_pki_status { SCEP_SUCCESS = 0, SCEP_FAILURE = 2, SCEP_PENDING = 3 };

enum scep_fail_info {
    SCEP_BAD_ALG = 0,
    SCEP_BAD_MESSAGE_CHECK = 1,
    SCEP_BAD_REQUEST = 2,
    SCEP_BAD_TIME = 3,
    SCEP_BAD_CERT_ID = 4,
};

/* "badAlg" and so on. */
const char *scep_fail_info_name(enum scep_fail_info info);

/* The failInfo that a failed call means: BAD_PROOF badMessageCheck, otherwise badRequest;
 * badAlg where scep_message_algorithm_refused() said so. */

enum scep_cipher { SCEP_CIPHER_NONE, SCEP_DES_CBC, SCEP_DES3_CBC, SCEP_AES128_CBC, SCEP_AES192_CBC, SCEP_AES256_CBC };

/* What an enrolment path accepts beyond AES, SHA-256 and up, and nonces of SCEP_NONCE_BYTES. */
struct scep_policy {
    bool allow_des; /* needs scep_legacy_load() */
    bool allow_des3;
    bool allow_md5;
    bool allow_sha1;
    bool allow_odd_nonce; /* 1 to SCEP_NONCE_MAX_BYTES, echoed as sent: some fielded clients send 8 */
};

/* --- Capabilities (s3.5) ------------------------------------------------ */

#define SCEP_CAP_AES 0x001u
#define SCEP_CAP_DES3 0x002u
#define SCEP_CAP_GET_NEXT_CA_CERT 0x004u
#define SCEP_CAP_POST 0x008u
#define SCEP_CAP_RENEWAL 0x010u
#define SCEP_CAP_SHA1 0x020u
#define SCEP_CAP_SHA256 0x040u
#define SCEP_CAP_SHA512 0x080u
#define SCEP_CAP_STANDARD 0x100u

/* One word a line, LF; appended. */
MUST_USE enum status scep_capabilities_format(unsigned capabilities, struct buf *out);

/* Any case, CRLF or LF, unknown words ignored; SCEPStandard also sets AES, POST and SHA-256. */
unsigned scep_capabilities_parse(struct span text);

/* --- Reading ------------------------------------------------------------ */

struct scep_message;
void scep_message_free(struct scep_message *message);
AUTO_FREE(scep_message_free, struct scep_message)

/* What stands in the signed attributes; spans lent from the message. */
struct scep_header {
    int message_type;         /* enum scep_message_type, or any other number from 0 to 255 that was sent */
    struct span transaction;  /* opaque bytes, 1 .. SCEP_TRANSACTION_MAX_BYTES */
    struct span sender_nonce; /* empty if absent */
    struct span recipient_nonce;
    int pki_status;             /* CertRep: enum scep_pki_status; -1 if absent or odd */
    int fail_info;              /* CertRep: enum scep_fail_info; -1 if absent */
    struct span fail_info_text; /* UTF-8 or printable, as sent; empty if absent */
    enum digest digest;         /* of the SignerInfo */
    enum scep_cipher cipher;    /* of the EnvelopedData; NONE if there is none or it is unknown */
    bool oaep;                  /* key transport was RSAES-OAEP */
};

/* Read a pkiMessage's shape: SignedData with one SignerInfo, attributes, EnvelopedData with
 * exactly one KeyTransRecipientInfo, or in a CertRep one PasswordRecipientInfo.
 *
 *   der   lent   DER or BER, 1 .. SCEP_MESSAGE_MAX_BYTES bytes
 *   out   given  scep_message_free() it; untouched unless OK
 *
 * OK means that it can be answered: there is a transactionID and a signer's certificate or
 * identity.  Anything else that is wrong with it (messageType missing, two recipients, ...) is
 * remembered and reported by scep_message_prove().
 * BAD_INPUT  not a pkiMessage at all
 * Source: RFC 8894 s3.1, s3.2. */
MUST_USE enum status scep_message_parse(struct span der, struct scep_message **out);

const struct scep_header *scep_message_get_header(const struct scep_message *message);

/* The certificate of the message's signer as embedded in it, NULL if it is not embedded; lent. */
struct cert *scep_message_get_signer(const struct scep_message *message);

/* Prove the message: every attribute well-formed, algorithms within policy, messageDigest and
 * signature hold under the signer's key.
 *
 *   signer  lent   NULL: the embedded certificate; a client passes the RA's
 *
 * BAD_INPUT  an attribute missing, doubled, of wrong type or size; wrong shape inside
 * BAD_PROOF  signature or digest     REFUSED  algorithm (see scep_message_algorithm_refused)
 * OK means, too: the messageType is one of enum scep_message_type, the senderNonce of a request is
 * of a size within policy, and a reply can be encrypted: to the key of a request's signer or, where that is an EC
 * key, to a password, for which a PKCSReq, RenewalReq or CertPoll has a place: scep_message_needs_password().
 * Who the signer is, is not decided here. */
MUST_USE enum status scep_message_prove(struct scep_message *message, struct cert *signer,
                                        const struct scep_policy *policy);

/* True when the last REFUSED was about an algorithm, which is failInfo badAlg. */
bool scep_message_algorithm_refused(const struct scep_message *message);

/* True when the key of a proved request's signer cannot decrypt: then only a password can open SUCCESS (s3.1). */
bool scep_message_needs_password(const struct scep_message *message);

/* Somebody who can open messages: certificate and private key, both lent. */
struct scep_identity {
    struct cert *cert;
    struct private_key *key;
};

/* Decrypt the envelope of a proved message; replaces `plain`.
 * BAD_PROOF  not for us, or it does not decrypt (one and the same answer for bad key, padding
 *            and content; the time does not tell either)
 * BAD_INPUT  there is no envelope, or scep_message_prove() was not called. */
MUST_USE enum status scep_message_decrypt(struct scep_message *message,
                                          const struct scep_identity *recipients, size_t recipient_count,
                                          struct buf *plain);

/* The same where the recipient is a password (s3.1); PBKDF2 of up to a million iterations is done.
 * BAD_PROOF  wrong password, key or content: one and the same answer, and the same work
 * BAD_INPUT  there is no such recipient, or scep_message_prove() was not called. */
MUST_USE enum status scep_message_decrypt_by_password(struct scep_message *message, struct span password,
                                                      struct buf *plain);

/* --- Building: what is built replaces `out` ------------------------------ */

/* A request, from a client (s3.3.1). */
struct scep_request {
    enum scep_message_type type; /* PKCS_REQ or RENEWAL_REQ (CERT_POLL, GET_CERT, GET_CRL alike) */
    struct span transaction;     /* ASCII, 1 .. SCEP_TRANSACTION_MAX_BYTES */
    struct span sender_nonce;    /* SCEP_NONCE_BYTES, fresh */
    struct span data;            /* messageData: DER of the CSR, or of what says which certificate */
    struct scep_identity signer; /* self-signed, or the certificate to be renewed */
    struct cert *recipient;      /* the RA's encryption certificate */
    enum scep_cipher cipher;
    enum digest digest;
    bool oaep;
    int64_t now_s; /* signingTime */
};
MUST_USE enum status scep_request_build(const struct scep_request *request, struct buf *out);

/* Which certificate GetCert asks for (s3.3.4): CMS's IssuerAndSerialNumber; spans lent. */
struct scep_certificate_id {
    struct span issuer; /* DER of a SEQUENCE that should be a Name */
    struct span serial; /* big-endian, without a leading zero octet; may be longer than any serial number */
};

/* Read it, strictly DER.  BAD_INPUT: malformed, or a negative serial number. */
MUST_USE enum status scep_certificate_id_parse(struct span der, struct scep_certificate_id *out);

/* Write it, as the messageData of a GetCert; replaces `out`. */
MUST_USE enum status scep_certificate_id_build(const struct scep_certificate_id *id, struct buf *out);

/* Whose request CertPoll asks about (s3.3.3): IssuerAndSubject; spans lent, DER of what should be Names. */
struct scep_poll_id {
    struct span issuer;  /* the CA's subject */
    struct span subject; /* the request's */
};

/* Read it, strictly DER.  The names say nothing that transaction and key do not say better, and clients fill
 * them differently (s3.3.3): they are not compared with anything.  BAD_INPUT: malformed */
MUST_USE enum status scep_poll_id_parse(struct span der, struct scep_poll_id *out);

/* Write it, as the messageData of a CertPoll; replaces `out`. */
MUST_USE enum status scep_poll_id_build(const struct scep_poll_id *id, struct buf *out);

/* A reply, from the server, to a message that was at least parsed (s3.3.2). */
struct scep_reply {
    const struct scep_message *request; /* lent; transaction, nonce, algorithms and recipient come from it */
    enum scep_pki_status status;
    enum scep_fail_info fail_info;   /* with SCEP_FAILURE */
    const char *fail_info_text;      /* with SCEP_FAILURE; may be NULL */
    const struct span *certificates; /* with SCEP_SUCCESS: DER, the issued one first */
    size_t certificate_count;
    struct span password; /* with SCEP_SUCCESS, where scep_message_needs_password(): the challengePassword */
    struct scep_identity signer; /* the RA's signing certificate and key */
    struct scep_policy policy;   /* caps the mirrored algorithms: never below it, SHA-256 if unsure */
    int64_t now_s;
};
MUST_USE enum status scep_reply_build(const struct scep_reply *reply, struct buf *out);

/* What a client awaits. */
struct scep_expectation {
    struct span transaction;
    struct span sender_nonce;         /* ours; must come back as recipientNonce */
    const struct cert_list *ca_certs; /* the verified ones of GetCACert: one of them must have signed */
    struct cert *ra_cert;             /* NULL, or the only one that may have */
    struct scep_identity recipient;   /* to whom the reply is encrypted: our signer */
    struct span password;             /* of an EC key, which cannot decrypt: the challengePassword instead */
    struct scep_policy policy;
};

/* A proved CertRep. */
struct scep_answer {
    enum scep_pki_status status;
    int fail_info;            /* -1 if none */
    char fail_info_text[512]; /* "" if none; printable */
    struct cert_list certs;   /* with SCEP_SUCCESS: as sent; cert_list_clear() it */
};
void scep_answer_clear(struct scep_answer *answer);

/* Read a CertRep and prove that it answers our request.
 * BAD_INPUT  malformed     BAD_PROOF  other transaction, other nonce, signer not the RA, signature
 * REFUSED    an algorithm below our policy
 * OK for all three pkiStatus: look at out->status. */
MUST_USE enum status scep_reply_open(struct span der, const struct scep_expectation *expect,
                                     struct scep_answer *out);

/* --- certs-only SignedData (GetCACert's chain, s4.2.1.2; the inside of SUCCESS) ------------- */

/* Write certificates, each its DER, in the order given; replaces `out`.
 * BAD_INPUT  none, or more than 32 */
MUST_USE enum status scep_certs_build(const struct span *certificates, size_t count, struct buf *out);

/* Append what is inside to `list`; at most 32 certificates. */
MUST_USE enum status scep_certs_parse(struct span der, struct cert_list *list);
