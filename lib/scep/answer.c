/* SPDX-License-Identifier: Apache-2.0
 *
 * A client reads a CertRep and proves that it answers the request (RFC 8894 s3.3.2).
 */
#include "lib/scep/message.h"

void scep_answer_clear(struct scep_answer *answer)
{
    cert_list_clear(&answer->certs);
    *answer = (struct scep_answer){ .fail_info = -1 };
}

/* By sid among those we know; what is embedded is not asked (NDES embeds nothing). */
static struct cert *find_signer(const struct scep_message *m, const struct scep_expectation *expect)
{
    const struct scep_entity_id *id = &m->signed_data.signer.id;

    if (expect->ra_cert)
        return scep_entity_is(id, expect->ra_cert) ? expect->ra_cert : NULL;
    for (size_t i = 0; expect->ca_certs && i < expect->ca_certs->count; i++)
        if (scep_entity_is(id, expect->ca_certs->items[i]))
            return expect->ca_certs->items[i];
    return NULL;
}

static enum status check_belongs(const struct scep_header *header, const struct scep_expectation *expect)
{
    if (!span_equal(header->transaction, expect->transaction))
        return fail(BAD_PROOF, "RFC 8894 s3.2.1.1: the reply is for another transactionID");
    if (!span_equal(header->recipient_nonce, expect->sender_nonce))
        return fail(BAD_PROOF, "RFC 8894 s3.2.1.5: recipientNonce is not the nonce that we sent");
    return OK;
}

static enum status prove_reply(struct scep_message *m, const struct scep_expectation *expect)
{
    struct cert *signer = find_signer(m, expect);

    if (m->header.message_type != SCEP_CERT_REP && m->defect == OK)
        return fail(BAD_INPUT, "RFC 8894 s3.3.2: messageType is %d, want CertRep (3)",
                    m->header.message_type);
    if (!signer)
        return fail(BAD_PROOF, "RFC 8894 s2.1.2: the reply is not signed by the RA or CA we trust");
    TRY(scep_message_prove(m, signer, &expect->policy));
    return check_belongs(&m->header, expect);
}

static enum status open_certificates(struct scep_message *m, const struct scep_expectation *expect,
                                     struct cert_list *certs)
{
    AUTO(buf_clear) struct buf plain = { 0 };

    TRY(m->is_by_password ? scep_message_decrypt_by_password(m, expect->password, &plain)
                          : scep_message_decrypt(m, &expect->recipient, 1, &plain));
    TRY(scep_certs_parse(buf_span(&plain), certs));
    if (certs->count == 0)
        return fail(BAD_INPUT, "RFC 8894 s3.3.2.1: SUCCESS without a certificate");
    return OK;
}

/* What is not printable ASCII is shown as '?', what is too long is cut. */
static void copy_printable(struct span from, char *to, size_t size)
{
    size_t n = 0;

    for (; n < from.len && n + 1 < size; n++)
        to[n] = from.ptr[n] >= 0x20 && from.ptr[n] <= 0x7e ? (char)from.ptr[n] : '?';
    to[n] = 0;
}

enum status scep_reply_open(struct span der, const struct scep_expectation *expect, struct scep_answer *out)
{
    AUTO(scep_message_freep) struct scep_message *m = NULL;
    AUTO(scep_answer_clear) struct scep_answer answer = { .fail_info = -1 };

    TRY(scep_message_parse(der, &m));
    TRY(prove_reply(m, expect));
    answer.status = (enum scep_pki_status)m->header.pki_status;
    if (answer.status == SCEP_FAILURE && m->header.fail_info <= SCEP_BAD_CERT_ID)
        answer.fail_info = m->header.fail_info;
    copy_printable(m->header.fail_info_text, answer.fail_info_text, sizeof answer.fail_info_text);
    if (answer.status == SCEP_SUCCESS)
        TRY(open_certificates(m, expect, &answer.certs));
    *out = answer;
    answer.certs = (struct cert_list){ 0 };
    return OK;
}
