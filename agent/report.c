/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/report.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"

enum form { FORM_TEXT, FORM_TIME, FORM_NUMBER };

/* One thing that is told: its name for programs and its heading for people (NULL: not for them). */
struct line {
    const char *name;
    const char *heading;
    enum form form;
    const char *text;
    int64_t number;
};

/* RFC 8259 s7; what is not ASCII stays as it is. */
static void print_json_text(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fprintf(out, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            fprintf(out, "\\u%04x", (unsigned char)*text);
        else
            fputc(*text, out);
    }
    fputc('"', out);
}

static void print_json(const struct line *lines, size_t count, FILE *out)
{
    for (size_t i = 0; i < count; i++) {
        fputc(i ? ',' : '{', out);
        print_json_text(lines[i].name, out);
        fputc(':', out);
        if (lines[i].form == FORM_TEXT)
            print_json_text(lines[i].text, out);
        else
            fprintf(out, "%lld", (long long)lines[i].number);
    }
    fputs("}\n", out);
}

static void print_text(const struct line *lines, size_t count, FILE *out)
{
    char when[CLOCK_TEXT_BYTES];

    for (size_t i = 0; i < count; i++) {
        if (!lines[i].heading)
            continue;
        clock_format_utc(lines[i].number, when);
        fprintf(out, "%-12s %s\n", lines[i].heading, lines[i].form == FORM_TIME ? when : lines[i].text);
    }
}

static const char *text_or_none(struct buf *text)
{
    const char *shown = text->len ? buf_text(text) : NULL;

    return shown ? shown : "";
}

enum status report_print(const struct credential *credential, const char *profile, const char *folder, bool json,
                         FILE *out)
{
    const struct cert *cert = credential->cert;
    AUTO(buf_clear) struct buf subject = { 0 };
    AUTO(buf_clear) struct buf issuer = { 0 };
    AUTO(buf_clear) struct buf names = { 0 };
    char serial[2 * CERT_SERIAL_MAX_BYTES + 3] = "";
    char fingerprint_text[2 * SHA256_BYTES + 1];
    uint8_t fingerprint[SHA256_BYTES];

    TRY(name_format(cert_get_subject(cert), &subject));
    TRY(name_format(cert_get_issuer(cert), &issuer));
    if (cert_get_subject_alt_name(cert).len)
        TRY(general_names_format(cert_get_subject_alt_name(cert), &names));
    if (cert_get_serial(cert).len < sizeof serial / 2)
        hex_encode(cert_get_serial(cert), serial);
    cert_fingerprint(cert, fingerprint);
    hex_encode(span_of(fingerprint, sizeof fingerprint), fingerprint_text);
    const struct line lines[] = {
        { "profile", "Profile", FORM_TEXT, profile, 0 },
        { "subject", "Subject", FORM_TEXT, text_or_none(&subject), 0 },
        { "subject_alt_name", "Names", FORM_TEXT, text_or_none(&names), 0 },
        { "issuer", "Issuer", FORM_TEXT, text_or_none(&issuer), 0 },
        { "serial", "Serial", FORM_TEXT, serial, 0 },
        { "fingerprint", "SHA-256", FORM_TEXT, fingerprint_text, 0 },
        { "not_before_s", "Valid from", FORM_TIME, NULL, cert_not_before_s(cert) },
        { "not_after_s", "Valid until", FORM_TIME, NULL, cert_not_after_s(cert) },
        { "renew_at_s", "Renew at", FORM_TIME, NULL, credential->renew_at_s },
        { "generation", NULL, FORM_NUMBER, NULL, credential->generation },
        { "path", "Stored in", FORM_TEXT, folder, 0 },
    };
    if (json)
        print_json(lines, COUNT_OF(lines), out);
    else
        print_text(lines, COUNT_OF(lines), out);
    return fflush(out) == 0 ? OK : fail(FAULT, "cannot write the output");
}
