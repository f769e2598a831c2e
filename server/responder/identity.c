/* SPDX-License-Identifier: Apache-2.0 */
#include "server/responder/identity.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"

#include <stdio.h>

#define FILE_MAX_BYTES ((size_t)1 << 20)
#define WARN_BEFORE_S (INT64_C(14) * 86400)

static void forget_parts(struct identities *identities)
{
    for (size_t i = 0; i < IDENTITY_PARTS; i++)
        buf_clear(&identities->parts[i]);
}

void identities_clear(struct identities *identities)
{
    forget_parts(identities);
    http_tls_free(identities->tls);
    identities->tls = NULL;
}

/* --- A section's files to an identity --------------------------------------- */

static enum http_client_certificates client_certificates(enum client_certificates mode)
{
    switch (mode) {
    case CLIENT_CERTIFICATES_NONE:
        return HTTP_CLIENT_CERTIFICATES_NONE;
    case CLIENT_CERTIFICATES_OPTIONAL:
        return HTTP_CLIENT_CERTIFICATES_OPTIONAL;
    case CLIENT_CERTIFICATES_REQUIRED:
        return HTTP_CLIENT_CERTIFICATES_REQUIRED;
    }
    return HTTP_CLIENT_CERTIFICATES_REQUIRED;
}

static enum status put(struct identities *identities, size_t place)
{
    const struct config_tls *section = &identities->config->tls[place];
    const char *names[CONFIG_TLS_NAMES_MAX];
    char label[CONFIG_NAME_BYTES + 8];

    snprintf(label, sizeof label, "tls %s", section->name);
    for (size_t i = 0; i < section->names_count; i++)
        names[i] = section->names[i];
    return http_tls_put(identities->tls, place,
                        &(struct http_tls_identity){
                            .label = label,
                            .names = names,
                            .names_count = section->names_count,
                            .certificate = buf_span(&identities->parts[IDENTITY_CERTIFICATE]),
                            .chain = buf_span(&identities->parts[IDENTITY_CHAIN]),
                            .key = buf_span(&identities->parts[IDENTITY_KEY]),
                            .client_certificates = client_certificates(section->client_certificates),
                            .client_anchors = buf_span(&identities->parts[IDENTITY_ANCHORS]),
                        });
}

static void warn_of_end(const struct config_tls *section, struct span pem)
{
    AUTO(cert_freep) struct cert *cert = NULL;
    char when[CLOCK_TEXT_BYTES];

    if (section->issue_from != CONFIG_NONE || cert_parse_pem(pem, section->certificate, &cert) != OK ||
        cert_not_after_s(cert) > clock_now_s() + WARN_BEFORE_S)
        return;
    clock_format_utc(cert_not_after_s(cert), when);
    log_write(LOG_WARNING, "%s ends on %s: replace it, or TLS clients will not believe this server any more",
              section->certificate, when);
}

/* --- At start ----------------------------------------------------------------- */

static enum status load_section(struct identities *identities, size_t place)
{
    const struct config_tls *section = &identities->config->tls[place];
    const char *const files[IDENTITY_PARTS] = { section->certificate, section->chain, section->key,
                                                section->client_anchors };

    if (section->issue_from != CONFIG_NONE && access(section->certificate, F_OK) != 0)
        return OK; /* the supervisor has it issued, and hands it over */
    for (size_t i = 0; i < IDENTITY_PARTS; i++)
        if (files[i][0])
            TRY(file_read(files[i], FILE_MAX_BYTES, &identities->parts[i]));
    TRY(put(identities, place));
    warn_of_end(section, buf_span(&identities->parts[IDENTITY_CERTIFICATE]));
    return OK;
}

enum status identities_load(const struct config *config, struct identities *out)
{
    out->config = config;
    if (!config->tls_count)
        return OK;
    TRY(http_tls_new(&out->tls));
    for (size_t i = 0; i < config->tls_count; i++) {
        const enum status status = load_section(out, i);
        forget_parts(out);
        if (status != OK)
            return status;
    }
    return OK;
}

/* --- While it runs --------------------------------------------------------------- */

static enum status take_file(struct identities *identities, const struct ipc_message *message)
{
    const struct ipc_tls_file *file = &message->tls_file;
    const struct config_tls *section = config_find_tls(identities->config, file->section);
    AUTO(fd_closep) int fd = message->fd;

    if (fd < 0 || file->part >= IDENTITY_PARTS)
        return fail(BAD_INPUT, "ipc: a tls_file without its file");
    if (!section)
        return OK; /* the configuration has changed, and the supervisor has the one of before */
    struct buf *part = &identities->parts[file->part];
    buf_clear(part);
    enum status status = file_read_fd(fd, section->name, FILE_MAX_BYTES, part);
    if (status == OK && !file->last)
        return OK;
    if (status == OK)
        status = put(identities, (size_t)(section - identities->config->tls));
    if (status == OK) {
        log_write(LOG_INFO, "tls %s: its files are in use for new connections", section->name);
        warn_of_end(section, buf_span(&identities->parts[IDENTITY_CERTIFICATE]));
    } else {
        log_write(LOG_ERROR, "%s; what was there before stays in use", fail_text());
    }
    forget_parts(identities);
    return OK;
}

enum status identities_take(struct identities *identities, const struct ipc_message *message)
{
    if (!identities->tls) {
        if (message->fd >= 0)
            close(message->fd);
        return OK;
    }
    if (message->kind == IPC_KIND_tls_file)
        return take_file(identities, message);
    if (message->kind != IPC_KIND_ticket_key)
        return fail(BAD_INPUT, "ipc: %s: nobody takes it", ipc_kind_name(message->kind));
    return http_tls_set_ticket_key(identities->tls, message->ticket_key.key);
}
