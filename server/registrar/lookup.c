/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/lookup.h"

#include "lib/base/text.h"
#include "lib/scep/scep.h"

#include <stdio.h>

struct wanted {
    const char *authority; /* of the path */
    struct verdict *verdict;
};

/* Serial numbers are unique in the ledger; a certificate of another authority is not of this path's business. */
static enum status copy_wanted(void *context, const struct store_certificate *row)
{
    struct wanted *wanted = context;

    if (!span_equal(row->authority_name, span_of_text(wanted->authority)) ||
        row->serial.len > sizeof wanted->verdict->serial)
        return OK;
    memcpy(wanted->verdict->serial + sizeof wanted->verdict->serial - row->serial.len, row->serial.ptr,
           row->serial.len);
    wanted->verdict->kind = VERDICT_ANSWER;
    return buf_set(&wanted->verdict->certificate, row->der);
}

static enum status refuse_unknown(const struct ipc_lookup *lookup, struct verdict *verdict)
{
    char serial[2 * CERT_SERIAL_MAX_BYTES + 1] = "";

    hex_encode(lookup->serial, serial);
    (void)!refuse(verdict, REFUSED, "there is no certificate of that serial number",
                  "asks for the certificate %s, which does not exist", serial);
    verdict->fail_info = SCEP_BAD_CERT_ID;
    return REFUSED;
}

static enum status weigh(struct store *store, const struct rules *rules, const struct ipc_lookup *lookup,
                         int64_t now_s, struct verdict *verdict)
{
    const struct config_path *path = config_find_path(rules->config, lookup->path);
    const struct ipc_enrol asks = { .message_type = SCEP_GET_CERT, .proof = lookup->proof };
    AUTO(applicant_clear) struct applicant applicant = { 0 };

    if (!path)
        return refuse_openly(verdict, REFUSED, "there is no such enrolment path");
    if (lookup->proof.len == 0)
        return refuse_openly(verdict, REFUSED, "a GetCert has to be signed with a certificate that this CA has issued");
    const enum status status = authenticate_by_certificate(&(struct question){ store, rules, path, &asks, now_s },
                                                           &applicant, verdict);
    snprintf(verdict->device, sizeof verdict->device, "%s", applicant.device.name);
    TRY(status);
    struct wanted wanted = { rules->config->authorities[path->authority].name, verdict };
    TRY(store_certificate_find_serial(store, lookup->serial, copy_wanted, &wanted));
    return verdict->kind == VERDICT_ANSWER ? OK : refuse_unknown(lookup, verdict);
}

enum status lookup_decide(struct store *store, const struct rules *rules, const struct ipc_lookup *lookup,
                          int64_t now_s, struct verdict *out)
{
    const enum status status = weigh(store, rules, lookup, now_s, out);

    if (status == OK || (status != FAULT && out->status == status))
        return OK;
    return fail_in(FAULT, "looking up a certificate for device \"%s\"", out->device);
}
