/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/scep/attribute.h"

#include "lib/scep/scep.h"

#include <inttypes.h>
#include <openssl/asn1.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TYPE(type) (1u << (type))

#define PKCS9 "\x2a\x86\x48\x86\xf7\x0d\x01\x09"
#define VERISIGN_PKI "\x60\x86\x48\x01\x86\xf8\x45\x01\x09"
#define ID_SCEP "\x2b\x06\x01\x05\x05\x07\x18"

/* A transactionID is opaque, and so is the kind of character string that it comes in. */
#define CHARACTER_STRINGS                                                                                \
    (TYPE(DER_PRINTABLE_STRING) | TYPE(DER_UTF8_STRING) | TYPE(DER_IA5_STRING) | TYPE(DER_T61_STRING) |  \
     TYPE(DER_VISIBLE_STRING) | TYPE(DER_NUMERIC_STRING) | TYPE(GRAPHIC_STRING) | TYPE(GENERAL_STRING) | \
     TYPE(DER_UNIVERSAL_STRING) | TYPE(DER_BMP_STRING))

/* Nobody writes them any more. */
#define GRAPHIC_STRING 0x19
#define GENERAL_STRING 0x1b

struct attribute_rule {
    const char *name;
    const char *source;
    struct span oid;
    uint32_t types; /* universal tags that are taken */
    const char *want;
    size_t min_bytes;
    size_t max_bytes;
};

#define PRINTABLE TYPE(DER_PRINTABLE_STRING), "a PrintableString"
#define OCTETS TYPE(DER_OCTET_STRING), "an OCTET STRING"
#define TIME (TYPE(DER_UTC_TIME) | TYPE(DER_GENERALIZED_TIME)), "a Time"
#define CMS(section) "RFC 5652 " section
#define SCEP(section) "RFC 8894 " section

/* Sizes that depend on the kind of message are looked at in message.c and prove.c. */
/* clang-format off */
static const struct attribute_rule rules[SCEP_ATTRIBUTE_COUNT] = {
    [SCEP_ATTRIBUTE_CONTENT_TYPE] =
        { "contentType", CMS("s11.1"), SPAN_LITERAL(PKCS9 "\x03"), TYPE(DER_OID), "an OBJECT IDENTIFIER", 1, SCEP_MESSAGE_MAX_BYTES },
    [SCEP_ATTRIBUTE_MESSAGE_DIGEST] =
        { "messageDigest", CMS("s11.2"), SPAN_LITERAL(PKCS9 "\x04"), OCTETS, 1, DIGEST_MAX_BYTES },
    [SCEP_ATTRIBUTE_SIGNING_TIME] =
        { "signingTime", CMS("s11.3"), SPAN_LITERAL(PKCS9 "\x05"), TIME, 1, 32 },
    [SCEP_ATTRIBUTE_TRANSACTION] =
        { "transactionID", SCEP("s3.2.1.1"), SPAN_LITERAL(VERISIGN_PKI "\x07"), CHARACTER_STRINGS,
          "a PrintableString", 1, SCEP_TRANSACTION_MAX_BYTES },
    [SCEP_ATTRIBUTE_MESSAGE_TYPE] =
        { "messageType", SCEP("s3.2.1.2"), SPAN_LITERAL(VERISIGN_PKI "\x02"), PRINTABLE, 1, 3 },
    [SCEP_ATTRIBUTE_PKI_STATUS] =
        { "pkiStatus", SCEP("s3.2.1.3"), SPAN_LITERAL(VERISIGN_PKI "\x03"), PRINTABLE, 1, 3 },
    [SCEP_ATTRIBUTE_FAIL_INFO] =
        { "failInfo", SCEP("s3.2.1.4"), SPAN_LITERAL(VERISIGN_PKI "\x04"), PRINTABLE, 1, 3 },
    [SCEP_ATTRIBUTE_FAIL_INFO_TEXT] =
        { "failInfoText", SCEP("s3.2.1.4"), SPAN_LITERAL(ID_SCEP "\x01"), CHARACTER_STRINGS, "a UTF8String", 0, 8192 },
    [SCEP_ATTRIBUTE_SENDER_NONCE] =
        { "senderNonce", SCEP("s3.2.1.5"), SPAN_LITERAL(VERISIGN_PKI "\x05"), OCTETS, 0, SCEP_MESSAGE_MAX_BYTES },
    [SCEP_ATTRIBUTE_RECIPIENT_NONCE] =
        { "recipientNonce", SCEP("s3.2.1.5"), SPAN_LITERAL(VERISIGN_PKI "\x06"), OCTETS, 0, SCEP_MESSAGE_MAX_BYTES },
};
/* clang-format on */

/* step-ca sends failInfoText under the arc itself. */
static const struct span odd_fail_info_text_oid = SPAN_LITERAL(ID_SCEP);

const char *scep_attribute_name(enum scep_attribute kind)
{
    return rules[kind].name;
}

const char *scep_attribute_source(enum scep_attribute kind)
{
    return rules[kind].source;
}

static inline void spans_free(struct span *spans)
{
    free(spans);
}
AUTO_FREE(spans_free, struct span)

/* --- Reading ------------------------------------------------------------ */

/* SCEP_ATTRIBUTE_COUNT for one we do not know. */
static enum scep_attribute kind_of(struct span oid)
{
    for (size_t i = 0; i < SCEP_ATTRIBUTE_COUNT; i++)
        if (span_equal(oid, rules[i].oid))
            return (enum scep_attribute)i;
    if (span_equal(oid, odd_fail_info_text_oid))
        return SCEP_ATTRIBUTE_FAIL_INFO_TEXT;
    return SCEP_ATTRIBUTE_COUNT;
}

static bool is_of_type(const struct der *value, uint32_t types)
{
    return value->tag < 0x1f && (types & TYPE(value->tag));
}

bool scep_attribute_is_opaque_text(const struct der *value)
{
    return is_of_type(value, CHARACTER_STRINGS | TYPE(DER_OCTET_STRING));
}

static enum status check_value(const struct attribute_rule *rule, const struct der *value)
{
    const size_t len = value->content.len;
    const bool is_universal = !(value->tag & 0xc0);

    if (!is_of_type(value, rule->types))
        return fail(BAD_INPUT, "%s: %s is of type %s, want %s", rule->source, rule->name,
                    is_universal ? ASN1_tag2str(value->tag & 0x1f) : "unknown", rule->want);
    if (len < rule->min_bytes || len > rule->max_bytes)
        return fail(BAD_INPUT, "%s: %s is %zu bytes, want %zu to %zu", rule->source, rule->name, len,
                    rule->min_bytes, rule->max_bytes);
    return OK;
}

static enum status collect_one(const struct scep_attribute_item *attribute, const struct attribute_rule *rule,
                               struct scep_attribute_slot *slot, bool *is_seen)
{
    slot->is_sound = false;
    if (*is_seen)
        return fail(BAD_INPUT, "%s: %s is there twice", rule->source, rule->name);
    *is_seen = true;
    slot->value = attribute->first;
    if (attribute->value_count != 1)
        return fail(BAD_INPUT, "%s: %s has %zu values, want 1", rule->source, rule->name,
                    attribute->value_count);
    TRY(check_value(rule, &slot->value));
    slot->is_sound = true;
    return OK;
}

enum status scep_attributes_collect(struct span attributes,
                                    struct scep_attribute_slot slots[SCEP_ATTRIBUTE_COUNT])
{
    bool is_seen[SCEP_ATTRIBUTE_COUNT] = { false };
    char first_defect[256] = "";

    while (attributes.len) {
        struct scep_attribute_item attribute;
        TRY(scep_attribute_next(&attributes, &attribute));
        const enum scep_attribute kind = kind_of(attribute.type);
        if (kind == SCEP_ATTRIBUTE_COUNT)
            continue;
        if (collect_one(&attribute, &rules[kind], &slots[kind], &is_seen[kind]) != OK && !*first_defect)
            snprintf(first_defect, sizeof first_defect, "%s", fail_text());
    }
    if (*first_defect)
        return fail(BAD_INPUT, "%s", first_defect);
    return OK;
}

/* --- Sorting ------------------------------------------------------------ */

/* X.690 s11.6: as octet strings, the shorter one padded with zeros; none of ours is a prefix of another. */
static int compare_encodings(const void *a, const void *b)
{
    const struct span *left = a;
    const struct span *right = b;
    const size_t common = left->len < right->len ? left->len : right->len;
    const int order = memcmp(left->ptr, right->ptr, common);

    if (order != 0)
        return order;
    return (left->len > right->len) - (left->len < right->len);
}

/* Append `set` as a SET whose `count` elements are sorted. */
static enum status put_sorted(struct der_writer *der, struct span set, size_t count)
{
    AUTO(spans_freep) struct span *elements = calloc(count + 1, sizeof *elements);

    if (!elements)
        return fail(FAULT, "no memory to sort %zu elements", count);
    for (size_t i = 0; i < count; i++) {
        struct der element;
        TRY(der_next(&set, &element));
        elements[i] = element.whole;
    }
    qsort(elements, count, sizeof *elements, compare_encodings);
    const size_t mark = der_open(der, DER_SET);
    for (size_t i = 0; i < count; i++)
        der_put_raw(der, elements[i]);
    der_close(der, mark);
    return der_status(der);
}

enum status scep_attributes_sort(struct span attributes, struct buf *out)
{
    AUTO(buf_clear) struct buf items = { 0 };
    struct der_writer der = { .out = &items };
    struct der_writer sorted = { .out = out };
    size_t count = 0;

    for (; attributes.len; count++) {
        struct scep_attribute_item item;
        TRY(scep_attribute_next(&attributes, &item));
        const size_t mark = der_open(&der, DER_SEQUENCE);
        der_put(&der, DER_OID, item.type);
        TRY(put_sorted(&der, item.values, item.value_count));
        der_close(&der, mark);
    }
    TRY(der_status(&der));
    out->len = 0;
    return put_sorted(&sorted, buf_span(&items), count);
}

/* --- Writing ------------------------------------------------------------ */

void scep_attributes_init(struct scep_attributes *attributes)
{
    *attributes = (struct scep_attributes){ .bytes = { 0 } };
    attributes->der.out = &attributes->bytes;
    if (!buf_reserve(&attributes->bytes, 1024))
        attributes->der.status = fail(FAULT, "no memory for attributes");
}

void scep_attributes_clear(struct scep_attributes *attributes)
{
    buf_clear(&attributes->bytes);
    attributes->count = 0;
}

void scep_attributes_add(struct scep_attributes *attributes, enum scep_attribute kind, uint8_t tag,
                         struct span value)
{
    struct der_writer *der = &attributes->der;

    if (attributes->count == SCEP_ATTRIBUTES_MAX) {
        der->status = fail(FAULT, "more than %d attributes", SCEP_ATTRIBUTES_MAX);
        return;
    }
    const size_t attribute = der_open(der, DER_SEQUENCE);
    der_put(der, DER_OID, rules[kind].oid);
    const size_t values = der_open(der, DER_SET);
    der_put(der, tag, value);
    der_close(der, values);
    der_close(der, attribute);
    attributes->end[attributes->count++] = attributes->bytes.len;
}

void scep_attributes_add_number(struct scep_attributes *attributes, enum scep_attribute kind, int value)
{
    char text[12];

    snprintf(text, sizeof text, "%d", value);
    scep_attributes_add(attributes, kind, DER_PRINTABLE_STRING, span_of_text(text));
}

void scep_attributes_add_time(struct scep_attributes *attributes, int64_t when_s)
{
    const time_t when = (time_t)when_s;
    struct tm utc;
    char text[32];

    if (!gmtime_r(&when, &utc)) {
        attributes->der.status = fail(FAULT, "no signing time can be made of %" PRId64, when_s);
        return;
    }
    const bool is_utc_time = utc.tm_year >= 50 && utc.tm_year < 150;
    const size_t len = strftime(text, sizeof text, "%Y%m%d%H%M%SZ", &utc);
    if (is_utc_time)
        scep_attributes_add(attributes, SCEP_ATTRIBUTE_SIGNING_TIME, DER_UTC_TIME,
                            span_of(text + 2, len - 2));
    else
        scep_attributes_add(attributes, SCEP_ATTRIBUTE_SIGNING_TIME, DER_GENERALIZED_TIME,
                            span_of(text, len));
}

enum status scep_attributes_write(const struct scep_attributes *attributes, struct buf *out)
{
    struct span sorted[SCEP_ATTRIBUTES_MAX];
    struct der_writer der = { .out = out, .status = attributes->der.status };
    size_t start = 0;

    TRY(der_status(&der));
    for (size_t i = 0; i < attributes->count; i++) {
        sorted[i] = span_of(attributes->bytes.ptr + start, attributes->end[i] - start);
        start = attributes->end[i];
    }
    qsort(sorted, attributes->count, sizeof sorted[0], compare_encodings);
    out->len = 0;
    const size_t set = der_open(&der, DER_SET);
    for (size_t i = 0; i < attributes->count; i++)
        der_put_raw(&der, sorted[i]);
    der_close(&der, set);
    return der_status(&der);
}
