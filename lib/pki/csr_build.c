/* SPDX-License-Identifier: Apache-2.0
 *
 * Building a certificate request (RFC 2986 s4).
 */
#include "lib/pki/der.h"
#include "lib/pki/pki.h"
#include "lib/pki/signature.h"

#define ID_CHALLENGE_PASSWORD SPAN_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07")
#define ID_EXTENSION_REQUEST SPAN_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e")
#define ID_SUBJECT_ALT_NAME SPAN_LITERAL("\x55\x1d\x11")

/* PrintableString where it can hold it, which every server reads; RFC 2985 s5.4.1. */
static void put_challenge(struct der_writer *w, struct span challenge)
{
    const uint8_t tag = span_is_printable_string(challenge) ? DER_PRINTABLE_STRING : DER_UTF8_STRING;

    if (challenge.len == 0)
        return;
    const size_t attribute = der_open(w, DER_SEQUENCE);
    der_put(w, DER_OID, ID_CHALLENGE_PASSWORD);
    const size_t values = der_open(w, DER_SET);
    der_put(w, tag, challenge);
    der_close(w, values);
    der_close(w, attribute);
}

static void put_extension_request(struct der_writer *w, const struct csr_content *content)
{
    if (content->subject_alt_name.len == 0)
        return;
    const size_t attribute = der_open(w, DER_SEQUENCE);
    der_put(w, DER_OID, ID_EXTENSION_REQUEST);
    const size_t values = der_open(w, DER_SET);
    const size_t extensions = der_open(w, DER_SEQUENCE);
    const size_t extension = der_open(w, DER_SEQUENCE);
    der_put(w, DER_OID, ID_SUBJECT_ALT_NAME);
    if (name_is_empty(content->subject))
        der_put_boolean(w, true);
    der_put(w, DER_OCTET_STRING, content->subject_alt_name);
    der_close(w, extension);
    der_close(w, extensions);
    der_close(w, values);
    der_close(w, attribute);
}

/* Always there, even empty; a SET OF stands in the order of its elements' bytes (X.690 s11.6). */
static enum status put_attributes(struct der_writer *w, const struct csr_content *content)
{
    AUTO(buf_clear) struct buf challenge = { 0 };
    AUTO(buf_clear) struct buf extensions = { 0 };
    struct der_writer to_challenge = { &challenge, OK }, to_extensions = { &extensions, OK };

    put_challenge(&to_challenge, content->challenge);
    put_extension_request(&to_extensions, content);
    TRY(der_status(&to_challenge));
    TRY(der_status(&to_extensions));
    const size_t shorter = challenge.len < extensions.len ? challenge.len : extensions.len;
    const bool swapped = shorter && memcmp(challenge.ptr, extensions.ptr, shorter) > 0;
    const size_t attributes = der_open(w, DER_CONTEXT_CONSTRUCTED(0));
    der_put_raw(w, buf_span(swapped ? &extensions : &challenge));
    der_put_raw(w, buf_span(swapped ? &challenge : &extensions));
    der_close(w, attributes);
    return der_status(w);
}

static enum status put_info(struct der_writer *w, const struct csr_content *content, struct span spki)
{
    static const uint8_t version = 0;
    const size_t info = der_open(w, DER_SEQUENCE);

    der_put(w, DER_INTEGER, span_of(&version, 1));
    der_put_raw(w, content->subject.len ? content->subject : SPAN_LITERAL("\x30\x00"));
    der_put_raw(w, spki);
    TRY(put_attributes(w, content));
    der_close(w, info);
    return der_status(w);
}

enum status csr_build(const struct csr_content *content, struct private_key *key, enum digest digest, struct buf *out)
{
    const struct public_key *public_half = private_key_get_public(key);
    AUTO(buf_clear) struct buf info = { .limit = CSR_MAX_BYTES };
    AUTO(buf_clear) struct buf signature = { 0 };
    struct der_writer w = { &info, OK };
    struct span algorithm;

    TRY(signature_algorithm(public_key_get_spec(public_half), digest, &algorithm));
    TRY(put_info(&w, content, public_key_get_spki(public_half)));
    TRY(private_key_sign(key, digest, buf_span(&info), &signature));
    out->len = 0;
    w = (struct der_writer){ out, OK };
    const size_t request = der_open(&w, DER_SEQUENCE);
    der_put_raw(&w, buf_span(&info));
    der_put_raw(&w, algorithm);
    der_put_bit_string(&w, buf_span(&signature));
    der_close(&w, request);
    return der_status(&w);
}
