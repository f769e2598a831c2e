/* SPDX-License-Identifier: Apache-2.0
 *
 * The messageData of messages that ask about a certificate (RFC 8894 s3.3.3, s3.3.4).
 */
#include "lib/pki/der.h"
#include "lib/scep/scep.h"

/* A SEQUENCE and what is in it, strict DER at every depth. */
static enum status open_sequence(struct span der, const char *what, struct span *inside)
{
    if (der.len > SCEP_MESSAGE_MAX_BYTES)
        return fail(BAD_INPUT, "%s of %zu bytes, want %zu at most", what, der.len, SCEP_MESSAGE_MAX_BYTES);
    if (der_check(der) != OK || der_only(der, DER_SEQUENCE, inside) != OK)
        return fail_in(BAD_INPUT, "%s", what);
    return OK;
}

/* Any SEQUENCE: whether it is a Name, and whose, is found out by comparing it. */
static enum status take_name(struct span *rest, const char *what, struct span *name)
{
    struct der element;

    if (der_next(rest, &element) != OK)
        return fail_in(BAD_INPUT, "%s", what);
    if (element.tag != DER_SEQUENCE)
        return fail(BAD_INPUT, "%s: tag 0x%02x, want a Name", what, element.tag);
    *name = element.whole;
    return OK;
}

static enum status check_end(struct span rest, const char *what)
{
    return rest.len ? fail(BAD_INPUT, "%s: %zu bytes too many in it", what, rest.len) : OK;
}

enum status scep_certificate_id_parse(struct span der, struct scep_certificate_id *out)
{
    static const char what[] = "RFC 5652 s10.2.4: IssuerAndSerialNumber";
    struct scep_certificate_id id;
    struct span inside, serial;

    TRY(open_sequence(der, what, &inside));
    TRY(take_name(&inside, what, &id.issuer));
    if (der_expect(&inside, DER_INTEGER, &serial) != OK || der_unsigned(serial, &id.serial) != OK)
        return fail_in(BAD_INPUT, "%s", what);
    TRY(check_end(inside, what));
    *out = id;
    return OK;
}

enum status scep_certificate_id_build(const struct scep_certificate_id *id, struct buf *out)
{
    struct der_writer writer = { .out = out };

    out->len = 0;
    const size_t sequence = der_open(&writer, DER_SEQUENCE);
    der_put_raw(&writer, id->issuer);
    der_put_unsigned(&writer, id->serial);
    der_close(&writer, sequence);
    return der_status(&writer);
}

enum status scep_poll_id_parse(struct span der, struct scep_poll_id *out)
{
    static const char what[] = "RFC 8894 s3.3.3: IssuerAndSubject";
    struct scep_poll_id id;
    struct span inside;

    TRY(open_sequence(der, what, &inside));
    TRY(take_name(&inside, what, &id.issuer));
    TRY(take_name(&inside, what, &id.subject));
    TRY(check_end(inside, what));
    *out = id;
    return OK;
}

enum status scep_poll_id_build(const struct scep_poll_id *id, struct buf *out)
{
    struct der_writer writer = { .out = out };

    out->len = 0;
    const size_t sequence = der_open(&writer, DER_SEQUENCE);
    der_put_raw(&writer, id->issuer);
    der_put_raw(&writer, id->subject);
    der_close(&writer, sequence);
    return der_status(&writer);
}
