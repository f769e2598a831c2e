/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/pki/extension.h"

#include "lib/pki/der.h"

#define PATH_LENGTH_MAX 255

/* { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER OPTIONAL } */
static enum status basic_constraints_read(struct span value, struct extensions *out)
{
    struct span rest, content, number;

    TRY(der_only(value, DER_SEQUENCE, &rest));
    if (der_is_next(rest, DER_BOOLEAN)) {
        TRY(der_expect(&rest, DER_BOOLEAN, &content));
        if (content.len != 1)
            return fail(BAD_INPUT, "cA is no BOOLEAN");
        out->is_ca = content.ptr[0] != 0;
    }
    if (rest.len) {
        TRY(der_expect(&rest, DER_INTEGER, &content));
        TRY(der_unsigned(content, &number));
        if (!out->is_ca || number.len > 1 || rest.len)
            return fail(BAD_INPUT, "pathLenConstraint without cA, over %d, or something behind it", PATH_LENGTH_MAX);
        out->path_length = number.ptr[0];
    }
    return OK;
}

static enum status key_usage_read(struct span value, struct extensions *out)
{
    struct span bits;

    TRY(der_only(value, DER_BIT_STRING, &bits));
    if (bits.len < 2 || bits.len > 3 || bits.ptr[0] > 7)
        return fail(BAD_INPUT, "want a BIT STRING of 1 to 9 bits");
    out->key_usage = bits.ptr[1] | (bits.len == 3 && bits.ptr[2] & 0x80 ? 0x8000u : 0);
    out->has_key_usage = true;
    return out->key_usage ? OK : fail(BAD_INPUT, "no bit is set");
}

static enum status extended_key_usage_read(struct span value, struct extensions *out)
{
    struct span rest, oid;

    TRY(der_only(value, DER_SEQUENCE, &rest));
    if (rest.len == 0)
        return fail(BAD_INPUT, "no purpose in it (s4.2.1.12: SIZE 1..MAX)");
    out->extended_key_usages = rest;
    for (; rest.len; out->extended_key_usage_count++) {
        if (out->extended_key_usage_count == EXTENDED_KEY_USAGE_MAX)
            return fail(BAD_INPUT, "more than %d purposes", EXTENDED_KEY_USAGE_MAX);
        TRY(der_expect(&rest, DER_OID, &oid));
        if (oid.len == 0 || oid.len > DER_OID_MAX_BYTES)
            return fail(BAD_INPUT, "an object identifier of %zu bytes, want 1 to %d", oid.len, DER_OID_MAX_BYTES);
    }
    return OK;
}

static enum status subject_alt_name_read(struct span value, struct extensions *out)
{
    struct general_name names[GENERAL_NAMES_MAX];
    size_t count;

    TRY(general_names_parse(value, names, COUNT_OF(names), &count));
    if (count == 0)
        return fail(BAD_INPUT, "no name in it");
    out->subject_alt_name = value;
    return OK;
}

static enum status subject_key_id_read(struct span value, struct extensions *out)
{
    TRY(der_only(value, DER_OCTET_STRING, &out->subject_key_id));
    return out->subject_key_id.len ? OK : fail(BAD_INPUT, "an empty key identifier");
}

/* { keyIdentifier [0], authorityCertIssuer [1], authorityCertSerialNumber [2] }, all OPTIONAL */
static enum status authority_key_id_read(struct span value, struct extensions *out)
{
    static const uint8_t tags[] = { DER_CONTEXT(0), DER_CONTEXT_CONSTRUCTED(1), DER_CONTEXT(2) };
    struct span rest, content;

    TRY(der_only(value, DER_SEQUENCE, &rest));
    for (size_t i = 0; i < COUNT_OF(tags); i++) {
        if (!der_is_next(rest, tags[i]))
            continue;
        TRY(der_expect(&rest, tags[i], &content));
        if (i == 0)
            out->authority_key_id = content;
    }
    return rest.len ? fail(BAD_INPUT, "a field that does not belong there") : OK;
}

/* Not read here, but no reason to mistrust a certificate: who needs them looks for himself. */
static enum status known_only(struct span value, struct extensions *out)
{
    (void)value, (void)out;
    return OK;
}

/* id-ce is 2.5.29 */
static const struct reader {
    uint8_t id_ce;
    const char *name;
    enum status (*read)(struct span value, struct extensions *out);
} readers[] = {
    { 14, "subjectKeyIdentifier", subject_key_id_read },
    { 15, "keyUsage", key_usage_read },
    { 17, "subjectAltName", subject_alt_name_read },
    { 19, "basicConstraints", basic_constraints_read },
    { 30, "nameConstraints", known_only },
    { 31, "cRLDistributionPoints", known_only },
    { 32, "certificatePolicies", known_only },
    { 35, "authorityKeyIdentifier", authority_key_id_read },
    { 37, "extKeyUsage", extended_key_usage_read },
};

static const struct reader *reader_find(struct span oid)
{
    if (oid.len != 3 || oid.ptr[0] != 0x55 || oid.ptr[1] != 0x1d)
        return NULL;
    for (size_t i = 0; i < COUNT_OF(readers); i++)
        if (oid.ptr[2] == readers[i].id_ce)
            return &readers[i];
    return NULL;
}

struct extension {
    struct span oid;
    struct span value;
    bool is_critical;
};

/* Extension ::= SEQUENCE { extnID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }.
 * A FALSE that is written out and a TRUE that is not 0xff are seen in the field, and taken. */
static enum status extension_next(struct span *list, struct extension *out)
{
    struct span fields, critical = { 0 };

    TRY(der_expect(list, DER_SEQUENCE, &fields));
    TRY(der_expect(&fields, DER_OID, &out->oid));
    TRY(der_oid_check(out->oid));
    if (der_is_next(fields, DER_BOOLEAN)) {
        TRY(der_expect(&fields, DER_BOOLEAN, &critical));
        if (critical.len != 1)
            return fail(BAD_INPUT, "critical is no BOOLEAN");
    }
    TRY(der_expect(&fields, DER_OCTET_STRING, &out->value));
    if (fields.len)
        return fail(BAD_INPUT, "%zu bytes behind extnValue", fields.len);
    out->is_critical = critical.len && critical.ptr[0];
    return OK;
}

static enum status extension_read(const struct extension *extension, struct extensions *out)
{
    const struct reader *reader = reader_find(extension->oid);

    if (!reader) {
        out->has_unknown_critical |= extension->is_critical;
        return OK;
    }
    const enum status status = reader->read(extension->value, out);
    return status == OK ? OK : fail_in(status, "%s (RFC 5280 s4.2.1)", reader->name);
}

static bool is_among(struct span oid, const struct span *oids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (span_equal(oid, oids[i]))
            return true;
    return false;
}

enum status extensions_read(struct span list, struct extensions *out)
{
    struct span seen[EXTENSIONS_MAX];
    struct extension extension;

    out->path_length = PATH_LENGTH_NONE;
    for (size_t i = 0; list.len; i++) {
        if (i == EXTENSIONS_MAX)
            return fail(BAD_INPUT, "more than %d extensions", EXTENSIONS_MAX);
        const enum status status = extension_next(&list, &extension);
        if (status != OK)
            return fail_in(status, "extension %zu (RFC 5280 s4.2)", i + 1);
        if (is_among(extension.oid, seen, i)) /* "must not include more than one instance" */
            return fail(BAD_INPUT, "RFC 5280 s4.2: extension %zu repeats an earlier one", i + 1);
        seen[i] = extension.oid;
        TRY(extension_read(&extension, out));
    }
    return OK;
}
