/* SPDX-License-Identifier: Apache-2.0
 *
 * Handing out CA certificates: GetCACert (RFC 8894 s4.2) and the files that authorityInformation-
 * Access points to (RFC 5280 s4.2.2.1).  Private to the responder.
 *
 * GetCACert's `message` is an identifier:
 *   absent, empty, a number, "CAIdentifier",
 *   the path's or its authority's name        the RA's certificates and the chain, together
 *   "level-0"                                 the issuing CA alone; "level-1" the next above it ...
 *   "root"                                    the root alone
 *   a certificate's common name, any case     that certificate of the chain alone
 * A client may so ask level by level and check each certificate against its superior.
 */
#pragma once

#include "lib/http/http.h"
#include "server/responder/endpoint.h"

/* GetCACert's answer for an identifier (percent-decoded); spans in `out` are lent from the endpoint.
 * BAD_INPUT  there is no such certificate; the text names those that there are */
MUST_USE enum status distribute_ca_cert(const struct endpoint *endpoint, struct span identifier,
                                        struct http_response *out);

/* The CA certificates of the whole house, by the names of their directories. */
struct ca_file {
    char name[CONFIG_NAME_BYTES];
    struct cert *cert;
};

#define CA_FILES_MAX 64

struct ca_files {
    struct ca_file items[CA_FILES_MAX];
    size_t count;
};

/* Load DIR/authority/NAME/cert.pem for every NAME. */
MUST_USE enum status ca_files_load(const struct config *config, struct ca_files *out);
void ca_files_clear(struct ca_files *files);

/* The certificate's DER, lent; empty if there is none of that name. */
struct span ca_files_find(const struct ca_files *files, struct span name);
