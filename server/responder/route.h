/* SPDX-License-Identifier: Apache-2.0
 *
 * From a URL to what is asked: the place, SCEP's operation, and its message in every spelling
 * that devices use (RFC 8894 s4.1).  Private to the responder.
 */
#pragma once

#include "lib/http/http.h"

enum route_kind {
    ROUTE_UNKNOWN,
    ROUTE_SCEP,    /* /scep/NAME, whatever may follow */
    ROUTE_CA_FILE, /* /ca/NAME.cer */
    ROUTE_HEALTH,  /* /healthz */
};

struct route {
    enum route_kind kind;
    struct span name; /* lent from the path */
};

struct route route_find(struct span path);

enum route_operation { OPERATION_GET_CA_CAPS, OPERATION_GET_CA_CERT, OPERATION_PKI };

/* Which operation a request to a SCEP path wants; a POST without one is a PKIOperation (s4.3).
 * BAD_INPUT  none, an unknown one, or a broken query */
MUST_USE enum status route_get_operation(const struct http_request *request, enum route_operation *out);

/* The pkiMessage of a PKIOperation: a POST's body, or what a GET carries as base64.
 *
 *   decoded   replaced; holds what was decoded
 *   out       lent from the request or from `decoded`
 *
 * BAD_INPUT  no message, or not base64 */
MUST_USE enum status route_get_message(const struct http_request *request, struct buf *decoded,
                                       struct span *out);
