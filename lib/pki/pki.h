/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys, names, certificates, certificate requests and templates.
 *
 * Knows: RFC 5280 certificates, RFC 2986 requests, RFC 4514 names as text, PEM.
 * Does not know: any enrolment protocol, the network, the clock, the database.
 *
 * Certificates and requests are read by our own strict DER reader, as spans lent from
 * one copy of what was read (doc/adr/0007); keys are made of their numbers, since
 * decoding one through X509_PUBKEY costs as much as a third of an RSA signature
 * (doc/adr/0002).
 * A name is handed about as the DER of its Name, alternative names as the DER of
 * a GeneralNames; both are empty spans where there are none.
 */
#pragma once

#include "lib/base/span.h"

/* --- Keys -------------------------------------------------------------- */

enum key_kind { KEY_RSA, KEY_EC_P256, KEY_EC_P384 };

/* What kind of key, and how long: text form "rsa:2048", "ec:P-256", "ec:P-384". */
struct key_spec {
    enum key_kind kind;
    unsigned bits;
};

#define KEY_SPEC_TEXT_BYTES 16

/* Read the text form.  BAD_INPUT: another kind or curve, or an RSA length that is out of bounds or no whole
 * number of octets. */
MUST_USE enum status key_spec_parse(const char *text, struct key_spec *out);
void key_spec_format(struct key_spec spec, char text[KEY_SPEC_TEXT_BYTES]);

enum digest { DIGEST_NONE, DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512 };
#define DIGEST_MAX_BYTES 64
#define SHA256_BYTES 32

/* SHA-256 of some bytes; cannot fail (a failing libcrypto ends the process). */
void sha256(struct span bytes, uint8_t out[SHA256_BYTES]);

/* Any digest; returns its length in bytes. */
size_t digest_bytes(enum digest kind, struct span bytes, uint8_t out[DIGEST_MAX_BYTES]);

enum key_padding { KEY_PADDING_PKCS1, KEY_PADDING_OAEP_SHA1, KEY_PADDING_OAEP_SHA256 };

struct public_key;
void public_key_free(struct public_key *key);
AUTO_FREE(public_key_free, struct public_key)

/* Read a SubjectPublicKeyInfo.
 *
 *   spki   lent   DER, copied
 *   out    given  public_key_free() it; untouched unless OK
 *
 * BAD_INPUT  not an SPKI, a kind of key we do not know, explicit curve parameters,
 *            a point off the curve, an even modulus or exponent
 * REFUSED    weak: RSA under 2048 or over 8192 bits, exponent under 65537 or over 256 bits
 * Source: RFC 3279 s2.3, RFC 5480 s2.1.1 (named curves only). */
MUST_USE enum status public_key_parse(struct span spki, struct public_key **out);

struct key_spec public_key_get_spec(const struct public_key *key);
struct span public_key_get_spki(const struct public_key *key); /* lent */

/* Check a signature over `message` (hashed here): RSASSA-PKCS1-v1_5, or ECDSA in DER.
 * BAD_PROOF when it does not hold; BAD_INPUT when libcrypto cannot make use of an RSA key, which it is
 * asked for here first. */
MUST_USE enum status public_key_verify(struct public_key *key, enum digest digest, struct span message,
                                       struct span signature);

/* RSA key transport; appends to `out`.  BAD_INPUT for a key that cannot encrypt, or as above. */
MUST_USE enum status public_key_encrypt(struct public_key *key, enum key_padding padding, struct span plain,
                                        struct buf *out);

struct private_key;
void private_key_free(struct private_key *key); /* wipes */
AUTO_FREE(private_key_free, struct private_key)

/* A fresh key; private_key_free() it.  FAULT: libcrypto cannot make one of that kind and length. */
MUST_USE enum status private_key_generate(struct key_spec spec, struct private_key **out);

/* Unencrypted PKCS#8 or traditional PEM.  `from` names the source in error texts. */
MUST_USE enum status private_key_parse_pem(struct span pem, const char *from, struct private_key **out);

/* The same from a file.  REFUSED where its mode gives group or others any right. */
MUST_USE enum status private_key_load(const char *path, struct private_key **out);

/* PKCS#8 PEM, appended to `out` (which is wiped when cleared). */
MUST_USE enum status private_key_write_pem(const struct private_key *key, struct buf *out);

/* The public half, lent; valid as long as the private key. */
struct public_key *private_key_get_public(struct private_key *key);

/* Sign `message` (hashed here); replaces `out`.  Contexts are kept between calls. */
MUST_USE enum status private_key_sign(struct private_key *key, enum digest digest, struct span message,
                                      struct buf *out);

/* RSA key transport, with implicit rejection: always `want` bytes come back, random
 * ones where the padding or the length was wrong, in the same time, so that nobody
 * learns which (RFC 3218).  FAULT only if libcrypto itself fails; BAD_INPUT: not an RSA key. */
MUST_USE enum status private_key_decrypt(struct private_key *key, enum key_padding padding, struct span cipher,
                                         size_t want, uint8_t *out);

/* --- Names ------------------------------------------------------------- */

/* RFC 4514 text ("CN=gw-17,O=Example,C=DE") to the DER of a Name.  Also takes the keys
 * emailAddress, serialNumber, unstructuredName, and OIDs.  "" gives the empty Name. */
MUST_USE enum status name_parse_text(const char *text, struct buf *out);

/* DER of a Name as RFC 4514 text, appended; control bytes are escaped. */
MUST_USE enum status name_format(struct span name, struct buf *out);

/* RFC 5280 s7.1 comparison (case, blanks, string type); false for anything unreadable. */
bool name_equal(struct span a, struct span b);

/* True for the empty span and for a Name without RDNs. */
bool name_is_empty(struct span name);

enum general_name_kind {
    GENERAL_NAME_OTHER,
    GENERAL_NAME_EMAIL,
    GENERAL_NAME_DNS,
    GENERAL_NAME_DIRECTORY,
    GENERAL_NAME_URI,
    GENERAL_NAME_IP,
    GENERAL_NAME_UNKNOWN, /* x400Address, ediPartyName, registeredID */
};

/* One alternative name; `value` is the text of email, dns and uri, the 4 or 16 octets
 * of an address, the DER of a directory name or of the whole choice for the rest. */
struct general_name {
    enum general_name_kind kind;
    struct span value; /* lent from the GeneralNames it was read from */
};

#define GENERAL_NAMES_MAX 64

/* Read a GeneralNames.
 * BAD_INPUT  malformed, more than `room` names, an empty name, a text that is not IA5
 *            or holds a NUL or control byte, an address of odd size. */
MUST_USE enum status general_names_parse(struct span der, struct general_name *names, size_t room, size_t *count);

/* "DNS:gw.example", "email:a@b", "URI:urn:x", "IP:192.0.2.1" into a GeneralNames, appended.
 * No names: nothing is appended. */
MUST_USE enum status general_names_parse_text(const char *const *texts, size_t count, struct buf *out);

/* A GeneralNames as "DNS:a, URI:b", appended. */
MUST_USE enum status general_names_format(struct span der, struct buf *out);

/* True when every name of `some` is also in `all`; texts compare as RFC 5280 s7.2 to s7.5 say. */
bool general_names_contain(struct span all, struct span some);

/* --- Certificates ------------------------------------------------------ */

#define KEY_USAGE_DIGITAL_SIGNATURE 0x80u
#define KEY_USAGE_NON_REPUDIATION 0x40u
#define KEY_USAGE_KEY_ENCIPHERMENT 0x20u
#define KEY_USAGE_DATA_ENCIPHERMENT 0x10u
#define KEY_USAGE_KEY_AGREEMENT 0x08u
#define KEY_USAGE_KEY_CERT_SIGN 0x04u
#define KEY_USAGE_CRL_SIGN 0x02u

/* keyUsage's names ("digitalSignature") and bits, and extKeyUsage's names and OIDs. */
MUST_USE enum status key_usage_parse(const char *name, unsigned *bit);
MUST_USE enum status extended_key_usage_parse(const char *name, char *oid, size_t size);

#define CERT_SERIAL_MAX_BYTES 20
#define CERT_MAX_BYTES ((size_t)16384)
#define PATH_LENGTH_NONE (-1)

struct cert;
void cert_free(struct cert *cert);
AUTO_FREE(cert_free, struct cert)

/* Read one DER certificate, copied; nothing may follow it.
 * BAD_INPUT  not a certificate, over CERT_MAX_BYTES, a doubled extension, inner and outer
 *            signature algorithms differ, a malformed extension of those we read
 * The key is not decoded here: cert_get_key(). */
MUST_USE enum status cert_parse(struct span der, struct cert **out);

/* The first certificate of a PEM text; `from` names the source in error texts. */
MUST_USE enum status cert_parse_pem(struct span pem, const char *from, struct cert **out);
MUST_USE enum status cert_load(const char *path, struct cert **out);
MUST_USE enum status cert_append_pem(const struct cert *cert, struct buf *out);

/* All lent from the certificate. */
struct span cert_get_der(const struct cert *cert);
struct span cert_get_serial(const struct cert *cert); /* INTEGER's content octets, big-endian, without a leading zero octet */
struct span cert_get_issuer(const struct cert *cert);
struct span cert_get_subject(const struct cert *cert);
struct span cert_get_spki(const struct cert *cert);
struct span cert_get_subject_alt_name(const struct cert *cert); /* GeneralNames, empty if none */
struct span cert_get_subject_key_id(const struct cert *cert);   /* empty if none */
struct span cert_get_authority_key_id(const struct cert *cert); /* empty if none */
int64_t cert_not_before_s(const struct cert *cert);
int64_t cert_not_after_s(const struct cert *cert);
bool cert_is_ca(const struct cert *cert);
int cert_path_length(const struct cert *cert);       /* PATH_LENGTH_NONE if none is said */
unsigned cert_key_usage(const struct cert *cert);    /* 0 when there is no keyUsage */
bool cert_has_key_usage(const struct cert *cert, unsigned bit); /* true too when there is no keyUsage */
bool cert_is_self_issued(const struct cert *cert);   /* issuer and subject are the same name */
void cert_fingerprint(const struct cert *cert, uint8_t out[SHA256_BYTES]); /* SHA-256 of the whole certificate */

/* The certified key, decoded once and kept; lent.  Errors as public_key_parse(). */
MUST_USE enum status cert_get_key(struct cert *cert, struct public_key **out);

/* Is `cert` signed by `key`?  BAD_PROOF if not; REFUSED for MD5 and SHA-1.
 * Names and dates are not looked at. */
MUST_USE enum status cert_verify_signature(const struct cert *cert, struct public_key *key);

/* Does `issuer` stand directly above `cert` at `now_s`: names, CA:TRUE, keyCertSign, both
 * validities, signature.  BAD_PROOF with the reason if not. */
MUST_USE enum status cert_verify_issued_by(const struct cert *cert, struct cert *issuer, int64_t now_s);

/* Certificates in a row; owns them. */
struct cert_list {
    struct cert **items;
    size_t count;
};
MUST_USE enum status cert_list_append(struct cert_list *list, struct cert *cert); /* taken, also on FAULT */
MUST_USE enum status cert_list_parse_pem(struct cert_list *list, struct span pem, const char *from);
MUST_USE enum status cert_list_load(struct cert_list *list, const char *path); /* an empty file has none: a root's chain */
void cert_list_clear(struct cert_list *list);

/* Validate a whole chain from the leaf to the anchor (RFC 5280 s6, by OpenSSL's X509_verify_cert
 * in strict mode).  For the device and for tools; the server's message path does not use it.
 * BAD_PROOF with OpenSSL's reason and the depth. */
MUST_USE enum status chain_verify(const struct cert *leaf, const struct cert_list *intermediates,
                                  const struct cert *anchor, int64_t now_s);

/* The name constraints of an authority and of those above it, for the look before signing: a certificate
 * outside of them would be worth nothing (RFC 5280 s4.2.1.10). */
struct name_constraints;
void name_constraints_free(struct name_constraints *constraints);
AUTO_FREE(name_constraints_free, struct name_constraints)

/* Read them; there may be none.
 *   out   given  name_constraints_free() it
 * BAD_INPUT  a nameConstraints that cannot be read */
MUST_USE enum status name_constraints_read(const struct cert *ca, const struct cert_list *superiors,
                                           struct name_constraints **out);

/* Subject and GeneralNames in DER, empty where there are none.  REFUSED when they do not fit. */
MUST_USE enum status name_constraints_check(const struct name_constraints *constraints, struct span subject,
                                            struct span san);

/* What a certificate shall say; every span lent, empty where there is none. */
struct cert_content {
    struct span serial; /* big-endian, 1 .. 20 octets, positive */
    struct span subject;
    struct span subject_alt_name; /* GeneralNames; critical when the subject is empty */
    struct span spki;
    int64_t not_before_s;
    int64_t not_after_s;
    unsigned key_usage;                       /* 0 leaves the extension out; critical */
    const char *const *extended_key_usage;    /* dotted OIDs */
    size_t extended_key_usage_count;
    bool is_ca;
    int path_length;                          /* of a CA; PATH_LENGTH_NONE for no limit */
    const char *const *permitted_dns;         /* name constraints of a CA */
    size_t permitted_dns_count;
    const char *crl_url;    /* NULL leaves the extension out */
    const char *issuer_url; /* AIA caIssuers; NULL leaves it out */
    bool omit_extensions;   /* none at all: a SCEP client's self-signed signer */
};

/* Build the TBSCertificate and sign it: SKI (RFC 7093 s2 method 1: leftmost 160 bits of SHA-256)
 * and AKI are added, notBefore and notAfter are cut to the issuer's, and an EC key gets no
 * keyEncipherment and dataEncipherment (RFC 8813 s3).
 *
 *   issuer      lent   NULL makes a self-signed certificate (then `key` is its own key)
 *   out         DER, replaced
 *
 * BAD_INPUT  a serial of wrong size or sign, validity the wrong way round or wholly outside the issuer's,
 *            `key` is not the issuer's, CA:TRUE without keyCertSign or the other way round, no name at all */
MUST_USE enum status cert_issue(const struct cert_content *content, const struct cert *issuer,
                                struct private_key *key, struct buf *out);

/* A fresh serial number: 20 octets, the first 0x01 .. 0x7f fixed to 0x4d, then 152 random bits. */
MUST_USE enum status cert_serial_generate(uint8_t serial[CERT_SERIAL_MAX_BYTES]);

/* --- Certificate requests ---------------------------------------------- */

#define CSR_MAX_BYTES ((size_t)16384)

struct csr;
void csr_free(struct csr *csr);
AUTO_FREE(csr_free, struct csr)

/* Read one PKCS#10 request and check its own signature (proof of possession).
 * BAD_INPUT  malformed, more than one challengePassword or extensionRequest, doubled extension,
 *            NUL or control bytes in names, an RDN value that is not a string
 * BAD_PROOF  its signature does not hold
 * REFUSED    weak key (public_key_parse), MD5 or SHA-1 signature
 * Source: RFC 2986 s4, RFC 2985 s5.4. */
MUST_USE enum status csr_parse(struct span der, struct csr **out);

/* The same where the key may be known already, as that of a message's signer: decoding it again
 * costs half a verification.
 *   known   lent   used where it is the request's own key, and must then outlive the request; may be NULL */
MUST_USE enum status csr_parse_known(struct span der, struct public_key *known, struct csr **out);

/* The same, but for the signature: for a request that csr_parse() has already let through in another process. */
MUST_USE enum status csr_parse_proved(struct span der, struct csr **out);

/* All lent. */
struct span csr_get_der(const struct csr *csr);
struct span csr_get_subject(const struct csr *csr);
struct span csr_get_spki(const struct csr *csr);
struct public_key *csr_get_key(const struct csr *csr);
struct span csr_get_challenge(const struct csr *csr);        /* the password as UTF-8; empty if absent */
struct span csr_get_subject_alt_name(const struct csr *csr); /* GeneralNames; empty if none asked */
bool csr_asks_for_ca(const struct csr *csr);                 /* basicConstraints CA:TRUE */
unsigned csr_key_usage(const struct csr *csr);               /* 0 when none asked */
size_t csr_extended_key_usage_count(const struct csr *csr);
const char *csr_extended_key_usage(const struct csr *csr, size_t i); /* dotted OID */

/* What a request shall say; spans lent, empty where there is none. */
struct csr_content {
    struct span subject;
    struct span subject_alt_name;
    struct span challenge;
};
MUST_USE enum status csr_build(const struct csr_content *content, struct private_key *key, enum digest digest,
                               struct buf *out);

/* --- Templates --------------------------------------------------------- */

/* No certificate has a subject, or alternative names, longer than this in DER. */
#define NAMES_MAX_BYTES ((size_t)4096)

/* What the names in a request are good for. */
enum request_names {
    REQUEST_NAMES_MATCH,  /* absent, or the same as the certificate will have: else refused (default) */
    REQUEST_NAMES_IGNORE, /* not looked at */
    REQUEST_NAMES_USE,    /* taken over, where present */
};

#define TEMPLATE_TEXT_BYTES 512
#define TEMPLATE_SAN_MAX 16
#define TEMPLATE_EKU_MAX 16
#define TEMPLATE_KEYS_MAX 8

/* What a certificate of one kind must look like; plain data, filled from the configuration.
 * In patterns "%{name}" is the device's name, "%{username}" the name it authenticated with. */
struct template {
    char name[64];
    char subject[TEMPLATE_TEXT_BYTES]; /* RFC 4514 pattern; may be empty if there is an alternative name */
    char san[TEMPLATE_SAN_MAX][TEMPLATE_TEXT_BYTES]; /* patterns as general_names_parse_text() */
    size_t san_count;
    enum request_names request_subject;
    enum request_names request_san;
    enum general_name_kind request_san_kinds[8]; /* with USE: kinds a request may bring */
    size_t request_san_kinds_count;
    unsigned key_usage;
    char eku[TEMPLATE_EKU_MAX][64]; /* dotted OIDs */
    size_t eku_count;
    struct key_range {
        enum key_kind kind;
        unsigned min_bits;
        unsigned max_bits;
    } keys[TEMPLATE_KEYS_MAX];
    size_t keys_count;
    int64_t lifetime_s;
    int64_t backdate_s;          /* notBefore lies so far in the past, for slow clocks */
    unsigned renew_from_percent; /* a renewal is accepted from this part of the life on; 0 = always */
    bool needs_approval;         /* an operator decides about each request */
};

/* May a key of this kind and size be certified?  REFUSED with what is allowed. */
MUST_USE enum status template_check_key(const struct template *t, struct public_key *key);

/* Nothing foreign asked for: no CA:TRUE, no keyCertSign/cRLSign, no extended key usage beyond the
 * template's.  REFUSED with what was asked. */
MUST_USE enum status template_check_request(const struct template *t, const struct csr *csr);

/* What the patterns make of a device, without any request; DER, replaced.
 * BAD_INPUT  a pattern that makes no name, or with an unknown variable     REFUSED  an empty value */
MUST_USE enum status template_expand_names(const struct template *t, const char *device, const char *username,
                                           struct buf *subject, struct buf *san);

/* The names of the certificate to be issued: from the device's name and username, and from the
 * request only where the template says so.
 *
 *   san_carrier   lent   a GeneralNames entry that only carried the username and is not
 *                        counted as asked for (value empty: none)
 *   subject, san  DER of Name and GeneralNames, replaced
 *
 * REFUSED  the request names something else (REQUEST_NAMES_MATCH), or a kind that is not allowed */
MUST_USE enum status template_make_names(const struct template *t, const char *device, const char *username,
                                         const struct csr *csr, struct general_name san_carrier,
                                         struct buf *subject, struct buf *san);

/* The signer's own look: could these names have come out of this template for this device?
 * REFUSED if not. */
MUST_USE enum status template_check_names(const struct template *t, const char *device, const char *username,
                                          struct span subject, struct span san);
