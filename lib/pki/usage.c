/* SPDX-License-Identifier: Apache-2.0
 *
 * keyUsage and extKeyUsage by their RFC 5280 names.
 */
#include "lib/pki/der.h"
#include "lib/pki/pki.h"

#include <ctype.h>
#include <stdio.h>

static const struct {
    const char *name;
    unsigned bit;
} key_usages[] = {
    { "digitalSignature", KEY_USAGE_DIGITAL_SIGNATURE },
    { "nonRepudiation", KEY_USAGE_NON_REPUDIATION },
    { "contentCommitment", KEY_USAGE_NON_REPUDIATION },
    { "keyEncipherment", KEY_USAGE_KEY_ENCIPHERMENT },
    { "dataEncipherment", KEY_USAGE_DATA_ENCIPHERMENT },
    { "keyAgreement", KEY_USAGE_KEY_AGREEMENT },
    { "keyCertSign", KEY_USAGE_KEY_CERT_SIGN },
    { "cRLSign", KEY_USAGE_CRL_SIGN },
};

static const struct {
    const char *name;
    const char *oid;
} extended_key_usages[] = {
    { "serverAuth", "1.3.6.1.5.5.7.3.1" },
    { "clientAuth", "1.3.6.1.5.5.7.3.2" },
    { "codeSigning", "1.3.6.1.5.5.7.3.3" },
    { "emailProtection", "1.3.6.1.5.5.7.3.4" },
    { "timeStamping", "1.3.6.1.5.5.7.3.8" },
    { "OCSPSigning", "1.3.6.1.5.5.7.3.9" },
    { "ipsecIKE", "1.3.6.1.5.5.7.3.17" },
    { "cmcRA", "1.3.6.1.5.5.7.3.28" },
};

enum status key_usage_parse(const char *name, unsigned *bit)
{
    for (size_t i = 0; i < COUNT_OF(key_usages); i++) {
        if (strcmp(name, key_usages[i].name) == 0) {
            *bit = key_usages[i].bit;
            return OK;
        }
    }
    return fail(BAD_INPUT, "key usage \"%.40s\": want digitalSignature, nonRepudiation, keyEncipherment, "
                           "dataEncipherment, keyAgreement, keyCertSign or cRLSign", name);
}

static enum status copy_text(const char *from, char *to, size_t size)
{
    return span_to_text(span_of_text(from), to, size);
}

enum status extended_key_usage_parse(const char *name, char *oid, size_t size)
{
    AUTO(buf_clear) struct buf der = { 0 };
    struct der_writer w = { &der, OK };

    for (size_t i = 0; i < COUNT_OF(extended_key_usages); i++)
        if (strcmp(name, extended_key_usages[i].name) == 0)
            return copy_text(extended_key_usages[i].oid, oid, size);
    if (isdigit((unsigned char)name[0]))
        der_put_oid_text(&w, name);
    if (der.len == 0)
        return fail(BAD_INPUT, "extended key usage \"%.60s\": want serverAuth, clientAuth, codeSigning, "
                               "emailProtection, timeStamping, OCSPSigning, ipsecIKE, cmcRA or an OID", name);
    return copy_text(name, oid, size);
}
