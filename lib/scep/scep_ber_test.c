/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages that are good as DER, written again as BER in every way that BER allows, and broken in many places.
 */
#include "lib/scep/fixture.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/test.h"

#include <dirent.h>
#include <stdlib.h>

#define LIMIT_US INT64_C(1000000)

static const struct scep_policy modern = { 0 };

/* --- A writer of BER ------------------------------------------------------------- */

struct style {
    bool is_indefinite;
    size_t segment_bytes; /* strings in segments of so many bytes; 0: in one piece */
    size_t length_octets; /* definite lengths in so many octets; 0: as few as they need */
};

static const struct style styles[] = {
    { true, 0, 0 },    { false, 0, 7 }, { true, 0, 4 },     { true, 1, 0 },
    { true, 1000, 0 }, { false, 1, 5 }, { false, 1000, 0 },
};

static void put_header(struct der_writer *der, uint8_t tag, size_t length, const struct style *style)
{
    uint8_t header[16] = { tag };
    size_t octets = style->length_octets;

    if (octets == 0 && length >= 0x80)
        octets = length > 0xffff ? 3 : length > 0xff ? 2 : 1;
    header[1] = octets ? (uint8_t)(0x80 | octets) : (uint8_t)length;
    for (size_t i = octets, left = length; i > 0; i--, left >>= 8)
        header[1 + i] = (uint8_t)left;
    der_put_raw(der, span_of(header, 2 + octets));
}

static void put_constructed(struct der_writer *der, uint8_t tag, struct span content,
                            const struct style *style)
{
    if (style->is_indefinite) {
        der_put_raw(der, span_of((const uint8_t[]){ tag, 0x80 }, 2));
        der_put_raw(der, content);
        der_put_raw(der, SPAN_LITERAL("\0\0"));
        return;
    }
    put_header(der, tag, content.len, style);
    der_put_raw(der, content);
}

static void put_segments(struct der_writer *der, uint8_t tag, struct span octets, const struct style *style)
{
    AUTO(buf_clear) struct buf segments = { 0 };
    struct der_writer inside = { .out = &segments };

    while (octets.len) {
        const size_t len = octets.len < style->segment_bytes ? octets.len : style->segment_bytes;
        put_header(&inside, DER_OCTET_STRING, len, style);
        der_put_raw(&inside, span_of(octets.ptr, len));
        octets = span_of(octets.ptr + len, octets.len - len);
    }
    must(der_status(&inside), "segments");
    put_constructed(der, tag | 0x20, buf_span(&segments), style);
}

/* OCTET STRINGs, also those under [0], and the strings of text. */
static bool may_be_segmented(uint8_t tag)
{
    return tag == DER_OCTET_STRING || tag == DER_CONTEXT(0) || der_is_string(tag);
}

static void put_as_ber(struct der_writer *der, struct span rest, const struct style *style)
{
    while (rest.len) {
        struct der element;
        must(der_next(&rest, &element), "DER");
        if (element.tag & 0x20) {
            AUTO(buf_clear) struct buf inside = { 0 };
            struct der_writer to = { .out = &inside };
            put_as_ber(&to, element.content, style);
            must(der_status(&to), "BER");
            put_constructed(der, element.tag, buf_span(&inside), style);
        } else if (style->segment_bytes && may_be_segmented(element.tag)) {
            put_segments(der, element.tag, element.content, style);
        } else {
            put_header(der, element.tag, element.content.len, style);
            der_put_raw(der, element.content);
        }
    }
}

static void write_as_ber(struct span der, const struct style *style, struct buf *out)
{
    struct der_writer writer = { .out = out };

    out->len = 0;
    put_as_ber(&writer, der, style);
    must(der_status(&writer), "BER");
}

/* --- Reading it -------------------------------------------------------------------- */

/* From a block of exactly that size, so that ASan sees every byte read behind it; it is gone before anything is
 * looked at. */
static enum status parse(struct span sent, struct scep_message **out)
{
    uint8_t *copy = malloc(sent.len ? sent.len : 1);

    assert_non_null(copy);
    if (sent.len)
        memcpy(copy, sent.ptr, sent.len);
    const enum status status = scep_message_parse(span_of(copy, sent.len), out);
    memset(copy, 0xee, sent.len);
    free(copy);
    return status;
}

static void assert_same_header(const struct scep_message *a, const struct scep_message *b)
{
    const struct scep_header *x = scep_message_get_header(a);
    const struct scep_header *y = scep_message_get_header(b);

    assert_int_equal(x->message_type, y->message_type);
    assert_true(span_equal(x->transaction, y->transaction));
    assert_true(span_equal(x->sender_nonce, y->sender_nonce));
    assert_true(span_equal(x->recipient_nonce, y->recipient_nonce));
    assert_int_equal(x->pki_status, y->pki_status);
    assert_int_equal(x->fail_info, y->fail_info);
    assert_true(span_equal(x->fail_info_text, y->fail_info_text));
    assert_int_equal(x->digest, y->digest);
    assert_int_equal(x->cipher, y->cipher);
    assert_int_equal(x->oaep, y->oaep);
    struct cert *signer[] = { scep_message_get_signer(a), scep_message_get_signer(b) };
    assert_true(span_equal(cert_get_der(signer[0]), cert_get_der(signer[1])));
}

/* As that one; the certificate is DER again, byte for byte. */
static void assert_reads_like(struct span ber, const struct scep_message *like)
{
    AUTO(scep_message_freep) struct scep_message *message = NULL;

    must(parse(ber, &message), "parse");
    must(scep_message_prove(message, NULL, &modern), "prove");
    assert_same_header(message, like);
}

static void assert_opens(struct span ber)
{
    const struct fixture *f = fixture_get();
    const struct scep_identity ra = fixture_identity(&f->ra);
    AUTO(scep_message_freep) struct scep_message *message = NULL;
    AUTO(buf_clear) struct buf plain = { 0 };

    must(parse(ber, &message), "parse");
    must(scep_message_prove(message, NULL, &modern), "prove");
    must(scep_message_decrypt(message, &ra, 1, &plain), "decrypt");
    assert_true(span_equal(buf_span(&plain), buf_span(&f->csr)));
}

static void the_outside_of_a_message_may_be_any_ber(void **state)
{
    const struct scep_request request = fixture_request(fixture_get());
    AUTO(buf_clear) struct buf der = { 0 };
    AUTO(scep_message_freep) struct scep_message *message = NULL;

    (void)state;
    must(scep_request_build(&request, &der), "request");
    must(scep_message_parse(buf_span(&der), &message), "parse");
    for (size_t i = 0; i < COUNT_OF(styles); i++) {
        AUTO(buf_clear) struct buf ber = { 0 };
        write_as_ber(buf_span(&der), &styles[i], &ber);
        assert_reads_like(buf_span(&ber), message);
        assert_opens(buf_span(&ber));
    }
}

/* The messageDigest is that of the BER; and either layer in its own way. */
static void the_envelope_may_be_any_ber(void **state)
{
    AUTO(buf_clear) struct buf envelope = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(styles); i++) {
        AUTO(buf_clear) struct buf inside = { 0 };
        AUTO(buf_clear) struct buf der = { 0 };
        AUTO(buf_clear) struct buf ber = { 0 };
        forge_envelope(fixture_get(), SCEP_AES256_CBC, (enum key_padding)(i % 3), &envelope);
        write_as_ber(buf_span(&envelope), &styles[i], &inside);
        const struct forge forge = { .content = buf_span(&inside), .is_sent_unsorted = i % 2 };
        forge_message(fixture_get(), &forge, &der);
        assert_opens(buf_span(&der));
        write_as_ber(buf_span(&der), &styles[COUNT_OF(styles) - 1 - i], &ber);
        assert_opens(buf_span(&ber));
    }
}

/* DER in its lengths, and yet in segments: [0] { OCTET STRING, OCTET STRING }. */
static void an_encrypted_content_may_come_in_segments_of_definite_length(void **state)
{
    static const struct style segments = { .segment_bytes = 100 };
    AUTO(buf_clear) struct buf envelope = { 0 };
    AUTO(buf_clear) struct buf inside = { 0 };
    AUTO(buf_clear) struct buf rewritten = { 0 };
    AUTO(buf_clear) struct buf der = { 0 };

    (void)state;
    forge_envelope(fixture_get(), SCEP_AES128_CBC, KEY_PADDING_PKCS1, &envelope);
    write_as_ber(buf_span(&envelope), &segments, &inside);
    must(ber_to_der(buf_span(&inside), &rewritten), "DER");
    assert_int_equal(der_check(buf_span(&rewritten)), OK);
    const struct forge forge = { .content = buf_span(&rewritten) };
    forge_message(fixture_get(), &forge, &der);
    assert_opens(buf_span(&der));
}

static void a_reply_may_be_any_ber(void **state)
{
    const struct fixture *f = fixture_get();
    const struct scep_request request = fixture_request(f);
    const struct scep_expectation expect = fixture_expectation(f);
    const struct span certificates[] = { buf_span(&f->issued), buf_span(&f->ca.der) };
    AUTO(buf_clear) struct buf sent = { 0 };
    AUTO(buf_clear) struct buf der = { 0 };
    AUTO(scep_message_freep) struct scep_message *message = NULL;

    (void)state;
    must(scep_request_build(&request, &sent), "request");
    must(scep_message_parse(buf_span(&sent), &message), "parse");
    const struct scep_reply reply = { .request = message,
                                      .status = SCEP_SUCCESS,
                                      .certificates = certificates,
                                      .certificate_count = 2,
                                      .signer = fixture_identity(&f->ra),
                                      .now_s = FIXTURE_NOW_S };
    must(scep_reply_build(&reply, &der), "reply");
    for (size_t i = 0; i < COUNT_OF(styles); i++) {
        AUTO(buf_clear) struct buf ber = { 0 };
        AUTO(scep_answer_clear) struct scep_answer answer = { 0 };
        write_as_ber(buf_span(&der), &styles[i], &ber);
        must(scep_reply_open(buf_span(&ber), &expect, &answer), "open");
        assert_int_equal(answer.certs.count, 2);
        assert_true(span_equal(cert_get_der(answer.certs.items[0]), certificates[0]));
    }
}

static void a_bundle_may_be_any_ber(void **state)
{
    const struct span in[] = { buf_span(&fixture_get()->ra.der), buf_span(&fixture_get()->ca.der) };
    AUTO(buf_clear) struct buf der = { 0 };

    (void)state;
    must(scep_certs_build(in, COUNT_OF(in), &der), "bundle");
    for (size_t i = 0; i < COUNT_OF(styles); i++) {
        AUTO(buf_clear) struct buf ber = { 0 };
        AUTO(cert_list_clear) struct cert_list out = { 0 };
        write_as_ber(buf_span(&der), &styles[i], &ber);
        must(scep_certs_parse(buf_span(&ber), &out), "parse");
        assert_int_equal(out.count, COUNT_OF(in));
        for (size_t j = 0; j < COUNT_OF(in); j++)
            assert_true(span_equal(cert_get_der(out.items[j]), in[j]));
    }
}

/* What OpenSSL made, some of it BER to begin with, and signer and recipient by key identifier. */
static void every_file_in_good_may_be_any_ber(void **state)
{
    const char *directory = getenv("MUSTER_SCEP_GOOD");
    DIR *files = directory ? opendir(directory) : NULL;

    (void)state;
    assert_non_null(files);
    for (const struct dirent *entry = readdir(files); entry; entry = readdir(files)) {
        const size_t len = strlen(entry->d_name);
        AUTO(buf_clear) struct buf sent = { 0 };
        AUTO(buf_clear) struct buf der = { 0 };
        AUTO(scep_message_freep) struct scep_message *message = NULL;
        if (len < 4 || strcmp(entry->d_name + len - 4, ".der") != 0)
            continue;
        must(file_read_at(dirfd(files), entry->d_name, SCEP_MESSAGE_MAX_BYTES, &sent), entry->d_name);
        must(scep_message_parse(buf_span(&sent), &message), entry->d_name);
        must(ber_to_der(buf_span(&sent), &der), entry->d_name);
        for (size_t i = 0; i < COUNT_OF(styles); i++) {
            AUTO(buf_clear) struct buf ber = { 0 };
            write_as_ber(buf_span(&der), &styles[i], &ber);
            assert_reads_like(buf_span(&ber), message);
        }
    }
    closedir(files);
}

/* Values in a SET of their own are sorted, too, where that is what was signed. */
static void attributes_signed_as_der_are_proved_with_their_values_sorted(void **state)
{
    static const struct span received =
        SPAN_LITERAL("\x30\x0d\x06\x03\x2a\x03\x05\x31\x06\x02\x01\x02\x02\x01\x01"
                     "\x30\x0a\x06\x03\x2a\x03\x04\x31\x03\x02\x01\x07");
    static const struct span sorted =
        SPAN_LITERAL("\x31\x1b\x30\x0a\x06\x03\x2a\x03\x04\x31\x03\x02\x01\x07"
                     "\x30\x0d\x06\x03\x2a\x03\x05\x31\x06\x02\x01\x01\x02\x01\x02");
    AUTO(buf_clear) struct buf out = { 0 };

    (void)state;
    assert_int_equal(scep_attributes_sort(received, &out), OK);
    assert_true(span_equal(buf_span(&out), sorted));
}

/* --- Broken ------------------------------------------------------------------------ */

static enum status read_like_a_server(struct span sent)
{
    AUTO(scep_message_freep) struct scep_message *message = NULL;

    TRY(parse(sent, &message));
    return scep_message_prove(message, NULL, &modern);
}

static void forge_ber(const struct style *style, struct buf *ber)
{
    AUTO(buf_clear) struct buf envelope = { 0 };
    AUTO(buf_clear) struct buf inside = { 0 };
    AUTO(buf_clear) struct buf der = { 0 };

    forge_envelope(fixture_get(), SCEP_AES128_CBC, KEY_PADDING_PKCS1, &envelope);
    write_as_ber(buf_span(&envelope), style, &inside);
    const struct forge forge = { .content = buf_span(&inside) };
    forge_message(fixture_get(), &forge, &der);
    write_as_ber(buf_span(&der), style, ber);
}

static void every_cut_of_a_message_in_ber_is_refused(void **state)
{
    static const struct style style = { .is_indefinite = true, .segment_bytes = 64 };
    AUTO(buf_clear) struct buf ber = { 0 };

    (void)state;
    forge_ber(&style, &ber);
    assert_int_equal(read_like_a_server(buf_span(&ber)), OK);
    for (size_t n = 0; n < ber.len; n++)
        assert_int_equal(read_like_a_server(span_of(ber.ptr, n)), BAD_INPUT);
}

static void a_changed_bit_of_a_message_in_ber_is_no_fault(void **state)
{
    static const struct style style = { .is_indefinite = true, .segment_bytes = 64 };
    AUTO(buf_clear) struct buf ber = { 0 };

    (void)state;
    forge_ber(&style, &ber);
    for (size_t bit = 0; bit < 8 * ber.len; bit++) {
        ber.ptr[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        const enum status status = read_like_a_server(buf_span(&ber));
        assert_true(status == OK || status == BAD_INPUT || status == BAD_PROOF || status == REFUSED);
        ber.ptr[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

/* As the whole message, and as what an honest signer signed. */
static void assert_refused_soon(struct span bytes)
{
    const struct forge forge = { .content = bytes };
    AUTO(buf_clear) struct buf der = { 0 };
    AUTO(scep_message_freep) struct scep_message *message = NULL;

    forge_message(fixture_get(), &forge, &der);
    const int64_t start_us = clock_monotonic_us();
    assert_int_equal(parse(bytes, &message), BAD_INPUT);
    assert_int_equal(read_like_a_server(buf_span(&der)), BAD_INPUT);
    assert_true(clock_monotonic_us() - start_us < LIMIT_US);
}

static void nesting_without_end_is_refused_soon(void **state)
{
    static const uint8_t tags[] = { DER_SEQUENCE, 0x24, DER_CONTEXT_CONSTRUCTED(0) };
    static uint8_t bytes[40000];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(tags); i++) {
        for (size_t n = 0; n < sizeof bytes; n += 2)
            memcpy(bytes + n, (const uint8_t[]){ tags[i], 0x80 }, 2);
        assert_refused_soon(span_of(bytes, sizeof bytes)); /* never closed */
        memset(bytes + sizeof bytes / 2, 0, sizeof bytes / 2);
        assert_refused_soon(span_of(bytes, sizeof bytes)); /* 10,000 levels, closed */
    }
}

/* End-of-contents among the elements of a SET or SEQUENCE of definite length is no element. */
static void an_end_where_nothing_is_open_is_refused(void **state)
{
    static const struct forge forges[] = {
        { .digest_algorithms = SPAN_LITERAL("\x31\x02\x00\x00") },
        { .certificates = SPAN_LITERAL("\xa0\x02\x00\x00") },
        { .certificates = SPAN_LITERAL("\xa0\x80\x30\x00\x00\x00\x00\x00") },
        { .encap_content =
              SPAN_LITERAL("\x30\x0f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x02\x00\x00") },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(forges); i++) {
        AUTO(buf_clear) struct buf der = { 0 };
        forge_message(fixture_get(), &forges[i], &der);
        assert_int_equal(read_like_a_server(buf_span(&der)), BAD_INPUT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_outside_of_a_message_may_be_any_ber),
        cmocka_unit_test(the_envelope_may_be_any_ber),
        cmocka_unit_test(an_encrypted_content_may_come_in_segments_of_definite_length),
        cmocka_unit_test(a_reply_may_be_any_ber),
        cmocka_unit_test(a_bundle_may_be_any_ber),
        cmocka_unit_test(every_file_in_good_may_be_any_ber),
        cmocka_unit_test(attributes_signed_as_der_are_proved_with_their_values_sorted),
        cmocka_unit_test(every_cut_of_a_message_in_ber_is_refused),
        cmocka_unit_test(a_changed_bit_of_a_message_in_ber_is_no_fault),
        cmocka_unit_test(nesting_without_end_is_refused_soon),
        cmocka_unit_test(an_end_where_nothing_is_open_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, fixture_forget);
}
