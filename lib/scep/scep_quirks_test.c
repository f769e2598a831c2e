/* SPDX-License-Identifier: Apache-2.0
 *
 * What servers in the field answer, written after each of them: an agent reads it.
 * What clients send is in test/scenario/test_quirks.py.
 */
#include "lib/scep/fixture.h"

#include "lib/base/test.h"

#define TRANSACTION SPAN_LITERAL("forged-1") /* the forge's */
#define LEFT_OUT(kind) (1u << SCEP_ATTRIBUTE_##kind)

/* What stands in a CertRep beside the forge's attributes. */
struct certrep {
    struct buf message_type;
    struct buf status;
    struct buf recipient_nonce;
};

static void clear_certrep(struct certrep *c)
{
    buf_clear(&c->message_type);
    buf_clear(&c->status);
    buf_clear(&c->recipient_nonce);
}

static void make_certrep(const struct fixture *f, struct span status, struct certrep *c)
{
    AUTO(buf_clear) struct buf nonce = { 0 };
    struct der_writer der = { .out = &nonce };

    der_put(&der, DER_OCTET_STRING, span_of(f->nonce, sizeof f->nonce));
    must(der_status(&der), "nonce");
    forge_attribute(SCEP_ATTRIBUTE_MESSAGE_TYPE, SPAN_LITERAL("\x13\x01" "3"), &c->message_type);
    forge_attribute(SCEP_ATTRIBUTE_PKI_STATUS, status, &c->status);
    forge_attribute(SCEP_ATTRIBUTE_RECIPIENT_NONCE, buf_span(&nonce), &c->recipient_nonce);
}

static enum status open_forged(const struct fixture *f, const struct forge *forge, struct scep_answer *answer)
{
    struct scep_expectation expect = fixture_expectation(f);
    AUTO(buf_clear) struct buf der = { 0 };

    expect.transaction = TRANSACTION;
    forge_message(f, forge, &der);
    return scep_reply_open(buf_span(&der), &expect, answer);
}

/* NDES leaves out the certificate of its signer, and adds an attribute of its own; both are in GetCACert's. */
static void ndes(void **state)
{
    const struct fixture *f = fixture_get();
    const struct span certificates[] = { buf_span(&f->issued), buf_span(&f->ca.der) };
    const struct span request_hash = SPAN_LITERAL(
        "\x30\x13\x06\x09\x2b\x06\x01\x04\x01\x82\x37\x15\x26\x31\x06\x04\x04\x17\x17\x17\x17");
    AUTO(buf_clear) struct buf bundle = { 0 };
    AUTO(buf_clear) struct buf envelope = { 0 };
    AUTO(clear_certrep) struct certrep certrep = { 0 };
    AUTO(scep_answer_clear) struct scep_answer answer = { 0 };

    (void)state;
    must(scep_certs_build(certificates, 2, &bundle), "bundle");
    must(scep_envelope_build(buf_span(&bundle), f->client.cert, SCEP_AES128_CBC, KEY_PADDING_PKCS1, &envelope),
         "envelope");
    make_certrep(f, SPAN_LITERAL("\x13\x01" "0"), &certrep);
    const struct forge forge = { .left_out = LEFT_OUT(MESSAGE_TYPE),
                                 .extra = { buf_span(&certrep.message_type), buf_span(&certrep.status),
                                            buf_span(&certrep.recipient_nonce), request_hash },
                                 .extra_count = 4,
                                 .content = buf_span(&envelope),
                                 .is_without_certificates = true,
                                 .signer = &f->ra };
    must(open_forged(f, &forge, &answer), "open");
    assert_int_equal(answer.status, SCEP_SUCCESS);
    assert_int_equal(answer.certs.count, 2);
    assert_true(span_equal(cert_get_der(answer.certs.items[0]), buf_span(&f->issued)));
}

/* step-ca says failInfoText under the arc's own number, as PrintableString, and sends our nonce back as its own. */
static void step_ca(void **state)
{
    const struct fixture *f = fixture_get();
    const struct span text =
        SPAN_LITERAL("\x30\x12\x06\x07\x2b\x06\x01\x05\x05\x07\x18\x31\x07\x13\x05" "sorry");
    AUTO(clear_certrep) struct certrep certrep = { 0 };
    AUTO(scep_answer_clear) struct scep_answer answer = { 0 };

    (void)state;
    make_certrep(f, SPAN_LITERAL("\x13\x01" "2"), &certrep);
    const struct forge forge = { .left_out = LEFT_OUT(MESSAGE_TYPE),
                                 .extra = { buf_span(&certrep.message_type), buf_span(&certrep.status),
                                            buf_span(&certrep.recipient_nonce), text },
                                 .extra_count = 4,
                                 .signer = &f->ra };
    must(open_forged(f, &forge, &answer), "open");
    assert_int_equal(answer.status, SCEP_FAILURE);
    assert_string_equal(answer.fail_info_text, "sorry");
}

/* Some send no senderNonce in a reply at all; ours must come back all the same. */
static void a_reply_needs_no_sender_nonce_but_ours(void **state)
{
    const struct fixture *f = fixture_get();
    AUTO(clear_certrep) struct certrep certrep = { 0 };
    AUTO(scep_answer_clear) struct scep_answer answer = { 0 };

    (void)state;
    make_certrep(f, SPAN_LITERAL("\x13\x01" "3"), &certrep);
    struct forge forge = { .left_out = LEFT_OUT(MESSAGE_TYPE) | LEFT_OUT(SENDER_NONCE) | LEFT_OUT(SIGNING_TIME),
                           .extra = { buf_span(&certrep.message_type), buf_span(&certrep.status),
                                      buf_span(&certrep.recipient_nonce) },
                           .extra_count = 3,
                           .signer = &f->ra };
    must(open_forged(f, &forge, &answer), "open");
    assert_int_equal(answer.status, SCEP_PENDING);
    forge.extra_count = 2;
    assert_int_equal(open_forged(f, &forge, &answer), BAD_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ndes),
        cmocka_unit_test(step_ca),
        cmocka_unit_test(a_reply_needs_no_sender_nonce_but_ours),
    };

    return cmocka_run_group_tests(tests, NULL, fixture_forget);
}
