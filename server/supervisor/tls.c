/* SPDX-License-Identifier: Apache-2.0 */
#include "server/supervisor/tls.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>

#define PARTS 4 /* as in msg.def's tls_file: certificate, chain, key, anchors */
#define TICKET_KEY_BYTES 80
#define TICKET_KEY_LIFE_MS (INT64_C(12) * 3600 * 1000)
#define RETRY_S 60

/* What stat(2) tells of a file; all zero where there is none. */
struct stamp {
    struct timespec changed;
    ino_t inode;
    off_t size;
};

struct keeping {
    const struct config_tls *section;
    const char *files[PARTS]; /* "" for none */
    struct stamp stamps[PARTS];
    int64_t due_s;            /* to be renewed from then on; INT64_MAX where it is not our business */
    int64_t wait_until_s;     /* but not before that */
    bool asked;
    struct private_key *key;  /* that certifying was asked for */
};

struct tls_keeper {
    const struct config *config;
    struct keeping sections[CONFIG_TLS_MAX];
    uint8_t ticket_key[TICKET_KEY_BYTES];
    int64_t ticket_key_until_ms;
};

/* --- Is it right? ----------------------------------------------------------- */

static enum status check_given(const struct config_tls *section)
{
    AUTO(cert_freep) struct cert *cert = NULL;
    AUTO(private_key_freep) struct private_key *key = NULL;
    AUTO(cert_list_clear) struct cert_list others = { 0 };

    TRY(cert_load(section->certificate, &cert));
    TRY(private_key_load(section->key, &key));
    if (!span_equal(cert_get_spki(cert), public_key_get_spki(private_key_get_public(key))))
        return fail(BAD_INPUT, "%s is not the key of %s", section->key, section->certificate);
    if (section->chain[0])
        TRY(cert_list_load(&others, section->chain));
    if (section->client_anchors[0])
        TRY(cert_list_load(&others, section->client_anchors));
    return OK;
}

/* A given key is looked at here once, before anything else runs, so that a wrong one ends the start. */
static enum status check_section(const struct config_tls *section)
{
    AUTO(cert_list_clear) struct cert_list anchors = { 0 };

    if (section->issue_from == CONFIG_NONE)
        return check_given(section);
    return section->client_anchors[0] ? cert_list_load(&anchors, section->client_anchors) : OK;
}

/* --- Renewal ------------------------------------------------------------------ */

static bool is_signed_by(const struct cert *cert, const struct config_authority *authority)
{
    AUTO(cert_freep) struct cert *issuer = NULL;
    struct public_key *key = NULL;

    return cert_load(authority->certificate, &issuer) == OK && cert_get_key(issuer, &key) == OK &&
           cert_verify_signature(cert, key) == OK;
}

/* Two thirds of its life; at once where it cannot be read, or is not by whom and for what the section says now. */
static int64_t due_of(const struct config *config, const struct config_tls *section)
{
    const struct template *t = &config->templates[section->template];
    AUTO(cert_freep) struct cert *cert = NULL;
    AUTO(buf_clear) struct buf subject = { 0 };
    AUTO(buf_clear) struct buf san = { 0 };

    if (cert_load(section->certificate, &cert) != OK || template_expand_names(t, "", "", &subject, &san) != OK ||
        !span_equal(buf_span(&san), cert_get_subject_alt_name(cert)) ||
        !is_signed_by(cert, &config->authorities[section->issue_from]))
        return 0;
    return cert_not_before_s(cert) + (cert_not_after_s(cert) - cert_not_before_s(cert)) / 3 * 2;
}

static bool is_issued(const struct keeping *k)
{
    return k->section->issue_from != CONFIG_NONE;
}

bool tls_keeper_next_request(struct tls_keeper *keeper, int64_t now_s, struct ipc_message *out)
{
    for (size_t i = 0; i < keeper->config->tls_count; i++) {
        struct keeping *k = &keeper->sections[i];
        if (!is_issued(k) || k->asked || k->due_s > now_s || k->wait_until_s > now_s)
            continue;
        if (!k->key && private_key_generate((struct key_spec){ KEY_EC_P256, 256 }, &k->key) != OK) {
            log_write(LOG_ERROR, "tls %s: %s", k->section->name, fail_text());
            k->wait_until_s = now_s + RETRY_S;
            continue;
        }
        k->asked = true;
        *out = (struct ipc_message){
            .kind = IPC_KIND_certify,
            .fd = -1,
            .certify = { .section = span_of_text(k->section->name),
                         .spki = public_key_get_spki(private_key_get_public(k->key)) },
        };
        return true;
    }
    return false;
}

/* With the root, which most leave out: a device may know nothing of it but its fingerprint. */
static enum status append_chain(const struct config *config, const struct config_tls *section, struct buf *pem)
{
    const struct config_authority *authority = &config->authorities[section->issue_from];
    AUTO(cert_freep) struct cert *issuer = NULL;
    AUTO(cert_list_clear) struct cert_list above = { 0 };

    TRY(cert_load(authority->certificate, &issuer));
    TRY(cert_list_load(&above, authority->chain));
    TRY(cert_append_pem(issuer, pem));
    for (size_t i = 0; i < above.count; i++)
        TRY(cert_append_pem(above.items[i], pem));
    return OK;
}

/* Certificate, chain and key in one file, so that they change as one. */
static enum status put_in_place(const struct tls_keeper *keeper, const struct keeping *k, struct span der)
{
    AUTO(cert_freep) struct cert *cert = NULL;
    AUTO(buf_clear) struct buf pem = { 0 };
    char directory[PATH_MAX];

    TRY(cert_parse(der, &cert));
    if (!k->key || !span_equal(cert_get_spki(cert), public_key_get_spki(private_key_get_public(k->key))))
        return fail(BAD_INPUT, "the registrar sent a certificate of another key");
    TRY(cert_append_pem(cert, &pem));
    TRY(append_chain(keeper->config, k->section, &pem));
    TRY(private_key_write_pem(k->key, &pem));
    TRY(config_absolute(keeper->config, CONFIG_TLS_DIRECTORY, directory));
    TRY(file_make_directory(directory, 0700));
    return file_replace(k->section->certificate, buf_span(&pem), 0600);
}

static void tell_renewed(const struct keeping *k)
{
    char when[CLOCK_TEXT_BYTES];

    clock_format_utc(k->due_s, when);
    log_write(LOG_NOTICE, "tls %s: a new certificate; the next one is made on %s", k->section->name, when);
}

static void renew(struct tls_keeper *keeper, struct keeping *k, const struct ipc_certified *certified, int64_t now_s)
{
    enum status status = (enum status)certified->status;

    k->asked = false;
    k->wait_until_s = now_s + RETRY_S; /* also after success: never in a loop */
    if (status == OK)
        status = put_in_place(keeper, k, certified->certificate);
    else
        (void)fail(status, "%.*s", (int)certified->reason.len, (const char *)certified->reason.ptr);
    if (status != OK) {
        log_write(LOG_ERROR, "tls %s: no new certificate: %s; trying again in %d s", k->section->name, fail_text(),
                  RETRY_S);
        return;
    }
    private_key_free(k->key);
    k->key = NULL;
    k->due_s = due_of(keeper->config, k->section);
    tell_renewed(k);
}

void tls_keeper_take(struct tls_keeper *keeper, const struct ipc_certified *certified, int64_t now_s)
{
    const struct config_tls *section = config_find_tls(keeper->config, certified->section);
    struct keeping *k = section ? &keeper->sections[section - keeper->config->tls] : NULL;

    if (k && k->asked)
        renew(keeper, k, certified, now_s);
}

void tls_keeper_registrar_went(struct tls_keeper *keeper)
{
    for (size_t i = 0; i < keeper->config->tls_count; i++)
        keeper->sections[i].asked = false;
}

bool tls_keeper_is_complete(const struct tls_keeper *keeper)
{
    for (size_t i = 0; i < keeper->config->tls_count; i++)
        if (is_issued(&keeper->sections[i]) && access(keeper->sections[i].section->certificate, F_OK) != 0)
            return false;
    return true;
}

/* --- Files that change ---------------------------------------------------------- */

static struct stamp stamp_of(const char *path)
{
    struct stat about;

    if (!path[0] || stat(path, &about) != 0)
        return (struct stamp){ 0 };
    return (struct stamp){ .changed = about.st_mtim, .inode = about.st_ino, .size = about.st_size };
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
    return a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec &&
           a->inode == b->inode && a->size == b->size;
}

static bool look_at(struct keeping *k)
{
    bool changed = false;

    for (size_t i = 0; i < PARTS; i++) {
        const struct stamp now = stamp_of(k->files[i]);
        changed |= !same_stamp(&now, &k->stamps[i]);
        k->stamps[i] = now;
    }
    return changed;
}

uint32_t tls_keeper_look(struct tls_keeper *keeper)
{
    uint32_t changed = 0;

    for (size_t i = 0; i < keeper->config->tls_count; i++) {
        struct keeping *k = &keeper->sections[i];
        if (!look_at(k))
            continue;
        log_write(LOG_NOTICE, "tls %s: its files have changed", k->section->name);
        if (is_issued(k)) /* somebody may have taken it away, to have another one made */
            k->due_s = due_of(keeper->config, k->section);
        changed |= UINT32_C(1) << i;
    }
    return changed;
}

static size_t last_part(const struct keeping *k)
{
    size_t last = 0;

    for (size_t i = 0; i < PARTS; i++)
        if (k->files[i][0])
            last = i;
    return last;
}

/* A file that is missing is no reason to end a responder: what it has stays. */
static enum status hand_over(const struct keeping *k, int channel)
{
    int files[PARTS] = { -1, -1, -1, -1 };
    enum status status = OK;

    for (size_t i = 0; i < PARTS && status == OK; i++)
        if (k->files[i][0] && (files[i] = open(k->files[i], O_RDONLY | O_CLOEXEC)) < 0)
            status = fail(PENDING, "tls %s: %s: %s", k->section->name, k->files[i], strerror(errno));
    for (size_t i = 0; i < PARTS && status == OK; i++) {
        const struct ipc_message m = { .kind = IPC_KIND_tls_file,
                                       .tls_file = { .section = span_of_text(k->section->name),
                                                     .part = (uint8_t)i,
                                                     .last = i == last_part(k) } };
        if (files[i] >= 0)
            status = ipc_send_with_fd(channel, &m, files[i]);
    }
    for (size_t i = 0; i < PARTS; i++)
        fd_closep(&files[i]);
    if (status != PENDING)
        return status;
    if (!is_issued(k))
        log_write(LOG_ERROR, "%s; what was there before stays in use", fail_text());
    return OK;
}

enum status tls_keeper_hand_over(const struct tls_keeper *keeper, uint32_t sections, int channel)
{
    for (size_t i = 0; i < keeper->config->tls_count; i++)
        if (sections & UINT32_C(1) << i)
            TRY(hand_over(&keeper->sections[i], channel));
    return OK;
}

static enum status make_ticket_key(struct tls_keeper *keeper)
{
    if (getrandom(keeper->ticket_key, sizeof keeper->ticket_key, 0) != (ssize_t)sizeof keeper->ticket_key)
        return fail(FAULT, "no random numbers: %s", strerror(errno));
    keeper->ticket_key_until_ms = clock_monotonic_ms() + TICKET_KEY_LIFE_MS;
    return OK;
}

/* Tickets under the one before are of no use then, and who brings one shakes hands in full. */
bool tls_keeper_turn_ticket_key(struct tls_keeper *keeper)
{
    return clock_monotonic_ms() >= keeper->ticket_key_until_ms && make_ticket_key(keeper) == OK;
}

enum status tls_keeper_send_ticket_key(const struct tls_keeper *keeper, struct ipc_channel *channel)
{
    const struct ipc_message m = { .kind = IPC_KIND_ticket_key,
                                   .fd = -1,
                                   .ticket_key.key = span_of(keeper->ticket_key, sizeof keeper->ticket_key) };

    if (!keeper->config->tls_count)
        return OK;
    return ipc_channel_send(channel, &m);
}

/* --- Beginning and end ------------------------------------------------------------ */

static void keep_section(const struct config *config, size_t i, struct keeping *k)
{
    const struct config_tls *section = &config->tls[i];

    *k = (struct keeping){
        .section = section,
        .files = { section->certificate, section->chain, section->key, section->client_anchors },
        .due_s = section->issue_from == CONFIG_NONE ? INT64_MAX : due_of(config, section),
    };
    (void)look_at(k);
}

enum status tls_keeper_new(const struct config *config, struct tls_keeper **out)
{
    AUTO(tls_keeper_freep) struct tls_keeper *keeper = calloc(1, sizeof *keeper);

    if (!keeper)
        return fail(FAULT, "no memory for the TLS identities");
    keeper->config = config;
    for (size_t i = 0; i < config->tls_count; i++) {
        const enum status status = check_section(&config->tls[i]);
        if (status != OK)
            return fail_in(status, "tls %s", config->tls[i].name);
        keep_section(config, i, &keeper->sections[i]);
    }
    TRY(make_ticket_key(keeper));
    *out = take(keeper);
    return OK;
}

void tls_keeper_free(struct tls_keeper *keeper)
{
    if (!keeper)
        return;
    for (size_t i = 0; i < CONFIG_TLS_MAX; i++)
        private_key_free(keeper->sections[i].key);
    explicit_bzero(keeper->ticket_key, sizeof keeper->ticket_key);
    free(keeper);
}
