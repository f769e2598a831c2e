/* SPDX-License-Identifier: Apache-2.0
 *
 * A small DER writer.  Elements are written front to back; a length is filled in when its
 * element is closed.  A failure is kept and told once, by scep_der_finish().
 */
#pragma once

#include "lib/base/span.h"

enum scep_der_tag {
    DER_INTEGER = 0x02,
    DER_OCTET_STRING = 0x04,
    DER_OBJECT = 0x06,
    DER_UTF8_STRING = 0x0c,
    DER_PRINTABLE_STRING = 0x13,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_CONTEXT_0_PRIMITIVE = 0x80,
    DER_CONTEXT_0 = 0xa0,
};

struct scep_der {
    struct buf *out;
    bool failed;
};

/* Begin a constructed element, or one whose content follows by scep_der_copy(); returns the mark to close it with. */
size_t scep_der_open(struct scep_der *der, uint8_t tag);
void scep_der_close(struct scep_der *der, size_t mark);

/* A whole element. */
void scep_der_put(struct scep_der *der, uint8_t tag, struct span content);

/* A non-negative INTEGER from its big-endian octets. */
void scep_der_put_integer(struct scep_der *der, struct span octets);

/* Something encoded already. */
void scep_der_copy(struct scep_der *der, struct span encoded);

/* FAULT when any of the above found no room. */
MUST_USE enum status scep_der_finish(const struct scep_der *der);
