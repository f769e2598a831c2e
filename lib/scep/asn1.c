/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/scep/asn1.h"

#include "lib/scep/scep.h"

#include <openssl/objects.h>
#include <stdio.h>

#define VERSION_MAX_BYTES 4

/* --- Simple types ----------------------------------------------------------- */

static enum status nothing_behind(struct span rest)
{
    return rest.len ? fail(BAD_INPUT, "DER: %zu bytes behind the end", rest.len) : OK;
}

enum status scep_element_next(struct span *rest, struct der *out)
{
    TRY(der_next(rest, out));
    return der_check_value(out);
}

static enum status integer_next(struct span *rest, struct span *content)
{
    TRY(der_expect(rest, DER_INTEGER, content));
    return der_check_value(&(struct der){ .tag = DER_INTEGER, .content = *content });
}

/* Which one it is, nobody asks. */
static enum status version_next(struct span *rest)
{
    struct span content;

    TRY(integer_next(rest, &content));
    return content.len <= VERSION_MAX_BYTES ? OK : fail(BAD_INPUT, "a version of %zu bytes", content.len);
}

static enum status oid_next(struct span *rest, struct span *content)
{
    TRY(der_expect(rest, DER_OID, content));
    return der_oid_check(*content);
}

/* The content of an element that may be absent. */
static enum status optional_next(struct span *rest, uint8_t tag, struct span *content)
{
    *content = span_of(NULL, 0);
    return der_is_next(*rest, tag) ? der_expect(rest, tag, content) : OK;
}

static enum status count_elements(struct span set, size_t *count)
{
    struct der element;

    for (*count = 0; set.len; (*count)++)
        TRY(scep_element_next(&set, &element));
    return OK;
}

/* Room for all of a message and of what is inside, at once: spans lent from it must not move. */
static enum status join_segments(struct span segments, struct buf *joined, struct span *out)
{
    if (!joined->ptr && !buf_reserve(joined, 3 * SCEP_MESSAGE_MAX_BYTES))
        return fail(FAULT, "no memory to join an OCTET STRING");
    const size_t start = joined->len;
    while (segments.len) {
        struct span segment;
        TRY(der_expect(&segments, DER_OCTET_STRING, &segment));
        TRY(buf_append(joined, segment));
    }
    *out = span_of(joined->ptr + start, joined->len - start);
    return OK;
}

/* [0] IMPLICIT OCTET STRING: the schema is known here, so its segments are joined here. */
static enum status implicit_octets_next(struct span *rest, struct buf *joined, struct span *out)
{
    struct span segments;

    if (!der_is_next(*rest, DER_CONTEXT_CONSTRUCTED(0)))
        return der_expect(rest, DER_CONTEXT(0), out);
    TRY(der_expect(rest, DER_CONTEXT_CONSTRUCTED(0), &segments));
    return join_segments(segments, joined, out);
}

/* --- What all have in common --------------------------------------------------- */

static enum status algorithm_next(struct span *rest, struct scep_algorithm *out)
{
    struct span inside;

    TRY(der_expect(rest, DER_SEQUENCE, &inside));
    TRY(oid_next(&inside, &out->oid));
    out->parameter = (struct der){ 0 };
    if (inside.len)
        TRY(scep_element_next(&inside, &out->parameter));
    return nothing_behind(inside);
}

enum status scep_algorithm_read(struct span der, struct scep_algorithm *out)
{
    TRY(algorithm_next(&der, out));
    return nothing_behind(der);
}

static enum status content_info_next(struct span *rest, struct scep_content_info *out)
{
    struct span inside, content;

    TRY(der_expect(rest, DER_SEQUENCE, &inside));
    TRY(oid_next(&inside, &out->type));
    out->content.tag = 0;
    if (inside.len == 0)
        return OK;
    TRY(der_expect(&inside, DER_CONTEXT_CONSTRUCTED(0), &content));
    TRY(nothing_behind(inside));
    TRY(scep_element_next(&content, &out->content));
    return nothing_behind(content);
}

enum status scep_content_info_read(struct span der, struct scep_content_info *out)
{
    TRY(content_info_next(&der, out));
    return nothing_behind(der);
}

static enum status entity_id_next(struct span *rest, struct buf *joined, struct scep_entity_id *out)
{
    struct span inside;
    struct der issuer;

    out->is_key_id = !der_is_next(*rest, DER_SEQUENCE);
    if (out->is_key_id)
        return implicit_octets_next(rest, joined, &out->key_id);
    TRY(der_expect(rest, DER_SEQUENCE, &inside));
    TRY(scep_element_next(&inside, &issuer));
    TRY(integer_next(&inside, &out->serial));
    out->issuer = issuer.whole;
    return nothing_behind(inside);
}

enum status scep_attribute_next(struct span *rest, struct scep_attribute_item *out)
{
    struct span inside, values;

    TRY(der_expect(rest, DER_SEQUENCE, &inside));
    TRY(oid_next(&inside, &out->type));
    TRY(der_expect(&inside, DER_SET, &values));
    TRY(nothing_behind(inside));
    TRY(count_elements(values, &out->value_count));
    out->values = values;
    out->first.tag = 0;
    return values.len ? scep_element_next(&values, &out->first) : OK;
}

static enum status check_attributes(struct span set)
{
    struct scep_attribute_item item;

    while (set.len)
        TRY(scep_attribute_next(&set, &item));
    return OK;
}

/* --- SignedData ------------------------------------------------------------------ */

static enum status signer_info_next(struct span *rest, struct buf *joined, struct scep_signer_info *out)
{
    struct span inside, unsigned_attributes;

    TRY(der_expect(rest, DER_SEQUENCE, &inside));
    TRY(version_next(&inside));
    TRY(entity_id_next(&inside, joined, &out->id));
    TRY(algorithm_next(&inside, &out->digest));
    out->signed_attributes = (struct der){ 0 };
    if (der_is_next(inside, DER_CONTEXT_CONSTRUCTED(0)))
        TRY(der_next(&inside, &out->signed_attributes));
    TRY(check_attributes(out->signed_attributes.content));
    TRY(algorithm_next(&inside, &out->signature_algorithm));
    TRY(der_expect(&inside, DER_OCTET_STRING, &out->signature));
    TRY(optional_next(&inside, DER_CONTEXT_CONSTRUCTED(1), &unsigned_attributes));
    TRY(check_attributes(unsigned_attributes));
    return nothing_behind(inside);
}

static enum status read_signer_infos(struct span set, struct buf *joined, struct scep_signed_data *out)
{
    for (out->signer_count = 0; set.len; out->signer_count++) {
        struct scep_signer_info another;
        TRY(signer_info_next(&set, joined, out->signer_count ? &another : &out->signer));
    }
    return OK;
}

static enum status read_digests(struct span set, size_t *count)
{
    struct scep_algorithm digest;

    for (*count = 0; set.len; (*count)++)
        TRY(algorithm_next(&set, &digest));
    return OK;
}

enum status scep_signed_data_read(struct span der, struct buf *joined, struct scep_signed_data *out)
{
    struct span inside, digests, crls, signers;
    size_t crl_count;

    TRY(der_only(der, DER_SEQUENCE, &inside));
    TRY(version_next(&inside));
    TRY(der_expect(&inside, DER_SET, &digests));
    TRY(read_digests(digests, &out->digest_count));
    TRY(content_info_next(&inside, &out->content));
    TRY(optional_next(&inside, DER_CONTEXT_CONSTRUCTED(0), &out->certificates));
    TRY(count_elements(out->certificates, &out->certificate_count));
    TRY(optional_next(&inside, DER_CONTEXT_CONSTRUCTED(1), &crls));
    TRY(count_elements(crls, &crl_count));
    TRY(der_expect(&inside, DER_SET, &signers));
    TRY(nothing_behind(inside));
    return read_signer_infos(signers, joined, out);
}

/* --- EnvelopedData ----------------------------------------------------------------- */

static enum status encrypted_content_next(struct span *rest, struct buf *joined,
                                          struct scep_encrypted_content *out)
{
    struct span inside;

    TRY(der_expect(rest, DER_SEQUENCE, &inside));
    TRY(oid_next(&inside, &out->type));
    TRY(algorithm_next(&inside, &out->cipher));
    out->bytes = span_of(NULL, 0);
    if (inside.len)
        TRY(implicit_octets_next(&inside, joined, &out->bytes));
    return nothing_behind(inside);
}

/* originatorInfo is left out: it serves key agreement only, which is refused anyway. */
enum status scep_enveloped_data_read(struct span der, struct buf *joined, struct scep_enveloped_data *out)
{
    struct span inside, recipients, attributes;
    size_t attribute_count;

    TRY(der_only(der, DER_SEQUENCE, &inside));
    TRY(version_next(&inside));
    TRY(der_expect(&inside, DER_SET, &recipients));
    TRY(count_elements(recipients, &out->recipient_count));
    out->recipient.tag = 0;
    if (recipients.len)
        TRY(scep_element_next(&recipients, &out->recipient));
    TRY(encrypted_content_next(&inside, joined, &out->content));
    TRY(optional_next(&inside, DER_CONTEXT_CONSTRUCTED(1), &attributes));
    TRY(count_elements(attributes, &attribute_count));
    return nothing_behind(inside);
}

enum status scep_key_transport_read(struct span der, struct buf *joined, struct scep_key_transport *out)
{
    struct span inside;

    TRY(der_only(der, DER_SEQUENCE, &inside));
    TRY(version_next(&inside));
    TRY(entity_id_next(&inside, joined, &out->id));
    TRY(algorithm_next(&inside, &out->algorithm));
    TRY(der_expect(&inside, DER_OCTET_STRING, &out->encrypted_key));
    return nothing_behind(inside);
}

static enum status optional_algorithm_next(struct span *rest, unsigned number, struct scep_algorithm *out)
{
    struct span inside;

    *out = (struct scep_algorithm){ 0 };
    if (!der_is_next(*rest, DER_CONTEXT_CONSTRUCTED(number)))
        return OK;
    TRY(der_expect(rest, DER_CONTEXT_CONSTRUCTED(number), &inside));
    return scep_algorithm_read(inside, out);
}

enum status scep_oaep_parameters_read(struct span der, struct scep_oaep_parameters *out)
{
    struct span inside;

    TRY(der_only(der, DER_SEQUENCE, &inside));
    TRY(optional_algorithm_next(&inside, 0, &out->hash));
    TRY(optional_algorithm_next(&inside, 1, &out->mask));
    TRY(optional_algorithm_next(&inside, 2, &out->source));
    return nothing_behind(inside);
}

/* --- Texts --------------------------------------------------------------------------- */

void scep_oid_text(struct span oid, char text[SCEP_OID_TEXT_BYTES])
{
    uint8_t der[2 + 32] = { DER_OID, (uint8_t)oid.len };
    const uint8_t *at = der;
    ASN1_OBJECT *object = NULL;

    if (oid.len && oid.len <= sizeof der - 2) { /* long OIDs take quadratic time to print */
        memcpy(der + 2, oid.ptr, oid.len);
        object = d2i_ASN1_OBJECT(NULL, &at, (long)(2 + oid.len));
    }
    if (!object || OBJ_obj2txt(text, SCEP_OID_TEXT_BYTES, object, 0) <= 0)
        snprintf(text, SCEP_OID_TEXT_BYTES, "an object identifier of %zu bytes", oid.len);
    ASN1_OBJECT_free(object);
}
