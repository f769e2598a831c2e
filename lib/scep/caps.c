/* SPDX-License-Identifier: Apache-2.0
 *
 * CA capabilities (RFC 8894 s3.5.2).
 */
#include "lib/scep/scep.h"

#include <strings.h>

static const struct {
    unsigned bit;
    const char *word;
    unsigned implied;
} words[] = {
    { SCEP_CAP_AES, "AES", 0 },
    { SCEP_CAP_DES3, "DES3", 0 },
    { SCEP_CAP_GET_NEXT_CA_CERT, "GetNextCACert", 0 },
    { SCEP_CAP_POST, "POSTPKIOperation", 0 },
    { SCEP_CAP_RENEWAL, "Renewal", 0 },
    { SCEP_CAP_SHA1, "SHA-1", 0 },
    { SCEP_CAP_SHA256, "SHA-256", 0 },
    { SCEP_CAP_SHA512, "SHA-512", 0 },
    { SCEP_CAP_STANDARD, "SCEPStandard", SCEP_CAP_AES | SCEP_CAP_POST | SCEP_CAP_SHA256 },
};

enum status scep_capabilities_format(unsigned capabilities, struct buf *out)
{
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (capabilities & words[i].bit)
            TRY(buf_append_format(out, "%s\n", words[i].word));
    return OK;
}

static unsigned word_bits(struct span word)
{
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (word.len == strlen(words[i].word) &&
            strncasecmp((const char *)word.ptr, words[i].word, word.len) == 0)
            return words[i].bit | words[i].implied;
    return 0;
}

static bool is_separator(uint8_t c)
{
    return c == '\r' || c == '\n' || c == ' ' || c == '\t';
}

unsigned scep_capabilities_parse(struct span text)
{
    unsigned found = 0;
    size_t start = 0;

    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && !is_separator(text.ptr[i]))
            continue;
        found |= word_bits(span_of(text.ptr + start, i - start));
        start = i + 1;
    }
    return found;
}
