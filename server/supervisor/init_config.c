/* SPDX-License-Identifier: Apache-2.0 */
#include "server/supervisor/init_plan.h"

#define DEVICE_DAYS 365
#define TLS_DAYS 90

/* A text as libconfuse reads it between double quotes. */
static enum status append_quoted(struct buf *out, struct span text)
{
    TRY(buf_append_text(out, "\""));
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\\')
            TRY(buf_append_text(out, "\\"));
        TRY(buf_append(out, span_of(text.ptr + i, 1)));
    }
    return buf_append_text(out, "\"");
}

static enum status append_top_level(const struct init_plan *plan, struct buf *out)
{
    TRY(buf_append_text(out,
        "# Muster's configuration; musterd.conf(5) explains every key.\n"
        "# Paths are relative to the directory of this file.  musterd reads it at start only.\n"
        "# Unknown keys are errors, so a misspelt one cannot be overlooked.\n"
        "\n"
        "# Where the server listens.\n"
        "listen = {"));
    TRY(append_quoted(out, span_of_text(plan->listen)));
    TRY(buf_append_text(out, "}\n"));
    if (plan->tls) {
        TRY(buf_append_text(out, "listen_tls = {"));
        TRY(append_quoted(out, span_of_text(plan->listen_tls)));
        TRY(buf_append_text(out, "}\n"));
    }
    TRY(buf_append_text(out,
        "\n"
        "# The URL under which devices reach this server.  It goes into the provisioning profiles.\n"
        "public_url = "));
    TRY(append_quoted(out, span_of_text(plan->url)));
    return buf_append_text(out,
        "\n\n"
        "# Processes that answer devices; 0 means one for each core.\n"
        "responders = 0\n"
        "\n"
        "# Started as root, each role runs as a user of its own: this number and the ones after it.\n"
        "# 0: they all stay the user that started musterd.\n"
        "uid_base = 64700\n"
        "\n"
        "# What one responder puts up with.\n"
        "connections_max = 4096\n"
        "header_timeout_s = 10\n"
        "body_timeout_s = 30\n"
        "\n"
        "# PKIOperations a minute that are taken from one address, and altogether; 0: no limit.\n"
        "address_rate_per_minute = 0\n"
        "overall_rate_per_minute = 0\n"
        "\n"
        "# One-time passwords: how long one lasts (7 days), and how many wrong ones lock a user.\n"
        "password_lifetime_s = 604800\n"
        "password_tries = 10\n"
        "\n");
}

static enum status append_authority(const struct init_plan *plan, const struct init_pair *issuing, struct buf *out)
{
    return buf_append_format(out,
        "# The authority that issues to devices.  Its superiors are in `chain`, the next above first, the\n"
        "# root last; their keys are not needed here.  The URLs go into every certificate it issues.\n"
        "authority %s {\n"
        "    key         = \"%s\"\n"
        "    certificate = \"%s\"\n"
        "    chain       = \"%s\"\n"
        "    crl_url     = \"%s/crl/%s.crl\"\n"
        "    issuer_url  = \"%s/ca/%s.cer\"\n"
        "}\n"
        "\n",
        issuing->name, issuing->key_file, issuing->cert_file, issuing->chain_file, plan->plain_url, issuing->name,
        plan->plain_url, issuing->name);
}

static enum status append_ra(const struct init_pki *pki, struct buf *out)
{
    const struct init_pair *encryption = &pki->ras[0];
    const struct init_pair *signing = &pki->ras[pki->ras_count - 1];

    return buf_append_format(out,
        "# The registration authority: devices encrypt their requests to the one certificate, replies are\n"
        "# signed with the other; they may be the same.\n"
        "ra default {\n"
        "    encryption_key         = \"%s\"\n"
        "    encryption_certificate = \"%s\"\n"
        "    signing_key            = \"%s\"\n"
        "    signing_certificate    = \"%s\"\n"
        "}\n"
        "\n",
        encryption->key_file, encryption->cert_file, signing->key_file, signing->cert_file);
}

static enum status append_template_subject(const struct init_plan *plan, struct buf *out)
{
    AUTO(buf_clear) struct buf subject = { 0 };

    TRY(buf_append_text(&subject, "CN=%{name},O="));
    TRY(init_append_name_value(&subject, plan->organization));
    return append_quoted(out, buf_span(&subject));
}

static enum status append_template(const struct init_plan *plan, struct buf *out)
{
    TRY(buf_append_text(out,
        "# What a device's certificate looks like.  %{name} is the device's name, %{username} the name it\n"
        "# authenticated with.\n"
        "template device {\n"
        "    subject          = "));
    TRY(append_template_subject(plan, out));
    return buf_append_format(out,
        "\n"
        "    subject_alt_name = {\"DNS:%%{name}\"}\n"
        "\n"
        "    # Names in a request: \"match\" (the same as above, or none), \"ignore\", or \"use\" (taken over;\n"
        "    # alternative names only of the kinds that request_subject_alt_name_kinds lists).\n"
        "    request_subject          = \"match\"\n"
        "    request_subject_alt_name = \"match\"\n"
        "    request_subject_alt_name_kinds = {}\n"
        "\n"
        "    key_usage          = {\"digitalSignature\", \"keyEncipherment\"}\n"
        "    extended_key_usage = {\"clientAuth\", \"serverAuth\"}\n"
        "    keys               = {\"rsa:2048-4096\", \"ec:P-256\", \"ec:P-384\"}\n"
        "\n"
        "    # backdate_s: notBefore lies so far in the past, for devices whose clock is slow.\n"
        "    lifetime_days = %lld\n"
        "    backdate_s    = 300\n"
        "\n"
        "    # A renewal is accepted from this part of the life on; 0: at any time.\n"
        "    renew_from_percent = 0\n"
        "}\n"
        "\n",
        (long long)(plan->ca_days < DEVICE_DAYS ? plan->ca_days : DEVICE_DAYS));
}

static enum status append_path(const struct init_plan *plan, const struct init_pair *issuing, struct buf *out)
{
    return buf_append_format(out,
        "# Where devices enrol by SCEP: %s/scep/device\n"
        "path device {\n"
        "    authority = \"%s\"\n"
        "    ra        = \"default\"\n"
        "    templates = {\"device\"}\n"
        "\n"
        "    # Where the username stands, tried in this order: \"dns\", \"email\", \"uri\" (an alternative name\n"
        "    # of the request), \"challenge\" (user:password in the challengePassword).\n"
        "    username_forms = {\"dns\", \"challenge\"}\n"
        "\n"
        "    # What old clients may still use.\n"
        "    allow_des3 = false\n"
        "    allow_sha1 = false\n"
        "\n"
        "    # What a reply carries beside the certificate: \"leaf\" (nothing), \"ca\", \"chain\"; and whether the\n"
        "    # chain that clients can ask for ends in the root.\n"
        "    reply         = \"leaf\"\n"
        "    root_in_chain = true\n"
        "\n"
        "    # \"operator\": every request waits for `muster enrolment approve`; \"none\": for nobody.\n"
        "    approval = \"none\"\n"
        "}\n",
        plan->url, issuing->name);
}

static enum status append_tls(const struct init_plan *plan, const struct init_pair *issuing, struct buf *out)
{
    if (!plan->tls)
        return OK;
    return buf_append_format(out,
        "\n"
        "# Who the server is to TLS clients.  Its certificate is issued by the authority when the server starts,\n"
        "# and again when two thirds of its life have passed.\n"
        "tls default {\n"
        "    names         = {\"%s\"}\n"
        "    issue_from    = \"%s\"\n"
        "    lifetime_days = %lld\n"
        "}\n",
        plan->tls, issuing->name, (long long)(plan->ca_days < TLS_DAYS ? plan->ca_days : TLS_DAYS));
}

enum status init_write_config(const struct init_plan *plan, const struct init_pki *pki, struct buf *out)
{
    TRY(append_top_level(plan, out));
    TRY(append_authority(plan, init_issuing(pki), out));
    TRY(append_ra(pki, out));
    TRY(append_template(plan, out));
    TRY(append_path(plan, init_issuing(pki), out));
    return append_tls(plan, init_issuing(pki), out);
}
