/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/scep/fixture.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

void must(enum status status, const char *what)
{
    if (status == OK)
        return;
    fprintf(stderr, "%s: %s: %s\n", what, status_name(status), fail_text());
    abort();
}

/* --- Parties ---------------------------------------------------------------- */

static void issue(struct party *party, const char *name, const struct party *issuer,
                  const struct party *subject, struct buf *der)
{
    AUTO(buf_clear) struct buf subject_name = { 0 };
    uint8_t serial[CERT_SERIAL_MAX_BYTES];
    struct cert_content content = { .serial = span_of(serial, sizeof serial),
                                    .not_before_s = FIXTURE_NOW_S - 3600,
                                    .not_after_s = FIXTURE_NOW_S + 86400,
                                    .key_usage = KEY_USAGE_DIGITAL_SIGNATURE | KEY_USAGE_KEY_ENCIPHERMENT,
                                    .path_length = PATH_LENGTH_NONE };

    must(cert_serial_generate(serial), "serial");
    must(name_parse_text(name, &subject_name), "name");
    content.subject = buf_span(&subject_name);
    content.spki = public_key_get_spki(private_key_get_public(subject->key));
    content.is_ca = party && !issuer && party == subject && strcmp(name, "CN=Test CA") == 0;
    if (content.is_ca)
        content.key_usage = KEY_USAGE_KEY_CERT_SIGN | KEY_USAGE_CRL_SIGN | KEY_USAGE_DIGITAL_SIGNATURE;
    must(cert_issue(&content, issuer ? issuer->cert : NULL, issuer ? issuer->key : subject->key, der),
         "issue");
}

static void make_party(struct party *party, const char *name, const struct party *issuer,
                       struct key_spec spec)
{
    must(private_key_generate(spec, &party->key), "key");
    issue(party, name, issuer, party, &party->der);
    must(cert_parse(buf_span(&party->der), &party->cert), "certificate");
}

static void list_add(struct cert_list *list, const struct party *party)
{
    struct cert *cert = NULL;

    must(cert_parse(buf_span(&party->der), &cert), "certificate");
    must(cert_list_append(list, cert), "list");
}

static struct fixture *made;

static void make_fixture(struct fixture *f)
{
    const struct key_spec rsa = { KEY_RSA, 2048 };
    AUTO(buf_clear) struct buf subject = { 0 };

    make_party(&f->ca, "CN=Test CA", NULL, rsa);
    make_party(&f->ra, "CN=Test RA,O=Example", &f->ca, rsa);
    make_party(&f->client, "CN=gw-17,O=Example", NULL, rsa);
    make_party(&f->ec, "CN=ec-17,O=Example", NULL, (struct key_spec){ KEY_EC_P256, 256 });
    issue(NULL, "CN=gw-17,O=Example", &f->ca, &f->client, &f->issued);
    must(name_parse_text("CN=gw-17,O=Example", &subject), "name");
    const struct csr_content content = { .subject = buf_span(&subject), .challenge = SPAN_LITERAL("secret") };
    must(csr_build(&content, f->client.key, DIGEST_SHA256, &f->csr), "csr");
    list_add(&f->ca_certs, &f->ca);
    list_add(&f->ca_certs, &f->ra);
    for (size_t i = 0; i < sizeof f->nonce; i++)
        f->nonce[i] = (uint8_t)(0xa0 + i);
}

struct fixture *fixture_get(void)
{
    if (!made) {
        made = calloc(1, sizeof *made);
        must(made ? OK : FAULT, "memory");
        make_fixture(made);
    }
    return made;
}

static void clear_party(struct party *party)
{
    private_key_free(party->key);
    cert_free(party->cert);
    buf_clear(&party->der);
}

void fixture_free(void)
{
    if (!made)
        return;
    clear_party(&made->ca);
    clear_party(&made->ra);
    clear_party(&made->client);
    clear_party(&made->ec);
    buf_clear(&made->issued);
    buf_clear(&made->csr);
    cert_list_clear(&made->ca_certs);
    free(made);
    made = NULL;
}

struct scep_identity fixture_identity(const struct party *party)
{
    return (struct scep_identity){ party->cert, party->key };
}

struct scep_request fixture_request(const struct fixture *f)
{
    return (struct scep_request){ .type = SCEP_PKCS_REQ,
                                  .transaction = SPAN_LITERAL("4F2C/transaction+17="),
                                  .sender_nonce = span_of(f->nonce, sizeof f->nonce),
                                  .data = buf_span(&f->csr),
                                  .signer = fixture_identity(&f->client),
                                  .recipient = f->ra.cert,
                                  .cipher = SCEP_AES128_CBC,
                                  .digest = DIGEST_SHA256,
                                  .now_s = FIXTURE_NOW_S };
}

struct scep_expectation fixture_expectation(const struct fixture *f)
{
    return (struct scep_expectation){ .transaction = SPAN_LITERAL("4F2C/transaction+17="),
                                      .sender_nonce = span_of(f->nonce, sizeof f->nonce),
                                      .ca_certs = &f->ca_certs,
                                      .recipient = fixture_identity(&f->client) };
}

/* --- The forge --------------------------------------------------------------- */

static void forge_attributes(const struct fixture *f, const struct forge *forge, struct span content,
                             struct scep_attributes *attributes)
{
    const enum digest kind = forge->digest ? forge->digest : DIGEST_SHA256;
    uint8_t digest[DIGEST_MAX_BYTES];
    const size_t digest_len = digest_bytes(kind, content, digest);
    const struct {
        enum scep_attribute kind;
        uint8_t tag;
        struct span value;
    } good[] = {
        { SCEP_ATTRIBUTE_CONTENT_TYPE, DER_OID, scep_oid_data },
        { SCEP_ATTRIBUTE_MESSAGE_DIGEST, DER_OCTET_STRING, span_of(digest, digest_len) },
        { SCEP_ATTRIBUTE_SIGNING_TIME, DER_UTC_TIME, SPAN_LITERAL("261123180219Z") },
        { SCEP_ATTRIBUTE_TRANSACTION, DER_PRINTABLE_STRING, SPAN_LITERAL("forged-1") },
        { SCEP_ATTRIBUTE_MESSAGE_TYPE, DER_PRINTABLE_STRING, SPAN_LITERAL("19") },
        { SCEP_ATTRIBUTE_SENDER_NONCE, DER_OCTET_STRING, span_of(f->nonce, sizeof f->nonce) },
    };

    scep_attributes_init(attributes);
    for (size_t i = 0; i < COUNT_OF(good); i++)
        if (!(forge->left_out & (1u << good[i].kind)))
            scep_attributes_add(attributes, good[i].kind, good[i].tag, good[i].value);
    for (size_t i = 0; i < forge->extra_count; i++) {
        der_put_raw(&attributes->der, forge->extra[i]);
        attributes->end[attributes->count++] = attributes->bytes.len;
    }
}

/* As added, which is not DER's order. */
static void write_unsorted(const struct scep_attributes *attributes, struct buf *out)
{
    struct der_writer der = { .out = out };

    der_put(&der, DER_SET, buf_span(&attributes->bytes));
    must(der_status(&der), "attributes");
}

struct forged {
    struct buf sent; /* attributes as sent, a SET */
    struct buf signature;
};

static void forge_signature(const struct forge *forge, const struct party *signer,
                            const struct scep_attributes *attributes, struct forged *out)
{
    AUTO(buf_clear) struct buf sorted = { 0 };
    AUTO(buf_clear) struct buf unsorted = { 0 };

    must(scep_attributes_write(attributes, &sorted), "attributes");
    write_unsorted(attributes, &unsorted);
    must(buf_set(&out->sent, buf_span(forge->is_unsorted || forge->is_sent_unsorted ? &unsorted : &sorted)),
         "sent");
    must(private_key_sign(signer->key, forge->digest ? forge->digest : DIGEST_SHA256,
                          buf_span(forge->is_unsorted ? &unsorted : &sorted), &out->signature),
         "sign");
}

static void copy_or(struct der_writer *der, struct span forged, struct span good)
{
    der_put_raw(der, forged.len ? forged : good);
}

static void put_signer_info(struct der_writer *der, const struct forge *forge, const struct party *signer,
                            const struct forged *forged)
{
    const enum digest digest = forge->digest ? forge->digest : DIGEST_SHA256;
    const enum key_kind kind = public_key_get_spec(private_key_get_public(signer->key)).kind;
    const size_t info = der_open(der, DER_SEQUENCE);

    der_put(der, DER_INTEGER, SPAN_LITERAL("\1"));
    if (forge->signer_id.len)
        der_put_raw(der, forge->signer_id);
    else
        scep_put_issuer_serial(der, signer->cert);
    copy_or(der, forge->digest_identifier, scep_digest_identifier(digest));
    der_put_raw(der, SPAN_LITERAL("\xa0"));
    der_put_raw(der, span_of(forged->sent.ptr + 1, forged->sent.len - 1));
    copy_or(der, forge->signature_identifier, scep_signature_identifier(kind, digest));
    der_put(der, DER_OCTET_STRING, buf_span(&forged->signature));
    der_close(der, info);
}

/* Constructed, in two halves, indefinite length: what jscep's BouncyCastle sends. */
static void put_ber_octets(struct der_writer *der, struct span octets)
{
    const size_t half = octets.len / 2;

    der_put_raw(der, SPAN_LITERAL("\x24\x80"));
    der_put(der, DER_OCTET_STRING, span_of(octets.ptr, half));
    der_put(der, DER_OCTET_STRING, span_of(octets.ptr + half, octets.len - half));
    der_put_raw(der, SPAN_LITERAL("\0\0"));
}

static void put_content(struct der_writer *der, const struct forge *forge, struct span content)
{
    if (forge->encap_content.len) {
        der_put_raw(der, forge->encap_content);
        return;
    }
    if (forge->is_ber) {
        der_put_raw(der, SPAN_LITERAL("\x30\x80"));
        der_put(der, DER_OID, scep_oid_data);
        der_put_raw(der, SPAN_LITERAL("\xa0\x80"));
        put_ber_octets(der, content);
        der_put_raw(der, SPAN_LITERAL("\0\0\0\0"));
        return;
    }
    const size_t info = der_open(der, DER_SEQUENCE);
    der_put(der, DER_OID, scep_oid_data);
    const size_t explicit = der_open(der, DER_CONTEXT_CONSTRUCTED(0));
    der_put(der, DER_OCTET_STRING, content);
    der_close(der, explicit);
    der_close(der, info);
}

static void put_body(struct der_writer *der, const struct forge *forge, const struct party *signer,
                     struct span content, const struct forged *forged)
{
    der_put(der, DER_INTEGER, SPAN_LITERAL("\1"));
    if (forge->digest_algorithms.len)
        der_put_raw(der, forge->digest_algorithms);
    else
        der_put(der, DER_SET, scep_digest_identifier(DIGEST_SHA256));
    put_content(der, forge, content);
    if (forge->certificates.len)
        der_put_raw(der, forge->certificates);
    else if (!forge->is_without_certificates)
        der_put(der, DER_CONTEXT_CONSTRUCTED(0), buf_span(&signer->der));
    const size_t signers = der_open(der, DER_SET);
    for (size_t i = 0; i < (forge->signer_count ? forge->signer_count : 1); i++)
        put_signer_info(der, forge, signer, forged);
    der_close(der, signers);
}

static void put_message(struct der_writer *der, const struct forge *forge, const struct party *signer,
                        struct span content, const struct forged *forged)
{
    if (forge->is_ber) {
        der_put_raw(der, SPAN_LITERAL("\x30\x80"));
        der_put(der, DER_OID, scep_oid_signed_data);
        der_put_raw(der, SPAN_LITERAL("\xa0\x80\x30\x80"));
        put_body(der, forge, signer, content, forged);
        der_put_raw(der, SPAN_LITERAL("\0\0\0\0\0\0"));
        return;
    }
    const size_t info = der_open(der, DER_SEQUENCE);
    der_put(der, DER_OID, scep_oid_signed_data);
    const size_t explicit = der_open(der, DER_CONTEXT_CONSTRUCTED(0));
    const size_t data = der_open(der, DER_SEQUENCE);
    put_body(der, forge, signer, content, forged);
    der_close(der, data);
    der_close(der, explicit);
    der_close(der, info);
}

void forge_message(const struct fixture *f, const struct forge *forge, struct buf *out)
{
    const struct party *signer = forge->signer ? forge->signer : &f->client;
    struct der_writer der = { .out = out };
    struct scep_attributes attributes;
    struct forged forged = { 0 };
    AUTO(buf_clear) struct buf envelope = { 0 };

    forge_envelope(f, SCEP_AES128_CBC, KEY_PADDING_PKCS1, &envelope);
    const struct span content = forge->content.len ? forge->content : buf_span(&envelope);
    forge_attributes(f, forge, content, &attributes);
    forge_signature(forge, signer, &attributes, &forged);
    out->len = 0;
    put_message(&der, forge, signer, content, &forged);
    must(der_status(&der), "forge");
    scep_attributes_clear(&attributes);
    buf_clear(&forged.sent);
    buf_clear(&forged.signature);
}

void forge_envelope(const struct fixture *f, enum scep_cipher cipher, enum key_padding padding,
                    struct buf *out)
{
    must(scep_envelope_build(buf_span(&f->csr), f->ra.cert, cipher, padding, out), "envelope");
}

void forge_attribute(enum scep_attribute kind, struct span values, struct buf *out)
{
    struct scep_attributes attributes;

    /* The element is written with one NULL value, which is then cut off again. */
    scep_attributes_init(&attributes);
    scep_attributes_add(&attributes, kind, 0x05, span_of(NULL, 0));
    struct der_writer der = { .out = out };
    const uint8_t *oid = attributes.bytes.ptr + 2;
    out->len = 0;
    const size_t attribute = der_open(&der, DER_SEQUENCE);
    der_put_raw(&der, span_of(oid, 2u + oid[1]));
    der_put(&der, DER_SET, values);
    der_close(&der, attribute);
    must(der_status(&der), "attribute");
    scep_attributes_clear(&attributes);
}

X509 *party_make_x509(const struct party *party)
{
    const unsigned char *at = party->der.ptr;
    X509 *x509 = d2i_X509(NULL, &at, (long)party->der.len);

    must(x509 ? OK : fail(FAULT, "not a certificate for OpenSSL"), "x509");
    return x509;
}

EVP_PKEY *party_make_pkey(const struct party *party)
{
    AUTO(buf_clear) struct buf pem = { 0 };

    must(private_key_write_pem(party->key, &pem), "pem");
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    must(key ? OK : fail(FAULT, "not a key for OpenSSL"), "pkey");
    return key;
}

int fixture_forget(void **state)
{
    (void)state;
    fixture_free();
    return 0;
}
