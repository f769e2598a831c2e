/* SPDX-License-Identifier: Apache-2.0
 *
 * The server's configuration: DIR/musterd.conf, read with libconfuse.
 *
 * Every role reads the whole file before it is jailed and keeps what concerns it.  Unknown keys,
 * values out of range and names that refer to nothing are errors with file and line.
 * Relative paths are relative to DIR.
 */
#pragma once

#include "lib/pki/pki.h"
#include "lib/scep/scep.h"

#include <limits.h>

#define CONFIG_NAME_BYTES 64
#define CONFIG_LISTEN_MAX 8
#define CONFIG_AUTHORITIES_MAX 16
#define CONFIG_TEMPLATES_MAX 32
#define CONFIG_PATHS_MAX 32
#define CONFIG_PATH_TEMPLATES_MAX 8
#define CONFIG_USERNAME_FORMS_MAX 4
#define CONFIG_URL_BYTES 512
#define CONFIG_TLS_MAX 16
#define CONFIG_TLS_NAMES_MAX 16
#define CONFIG_TLS_NAME_BYTES 254
#define CONFIG_NONE SIZE_MAX /* for an index */

/* A certification authority that can sign. */
struct config_authority {
    char name[CONFIG_NAME_BYTES];
    char key[PATH_MAX];         /* PEM, the signer's alone */
    char certificate[PATH_MAX]; /* PEM */
    char chain[PATH_MAX];       /* PEM: its superiors, the next above first, the root last */
    char crl_url[CONFIG_URL_BYTES];    /* "" leaves the extension out */
    char issuer_url[CONFIG_URL_BYTES]; /* AIA caIssuers; "" leaves it out */
};

/* An RA: what opens requests and signs replies; one pair for both, or two. */
struct config_ra {
    char name[CONFIG_NAME_BYTES];
    char encryption_key[PATH_MAX];
    char encryption_certificate[PATH_MAX];
    char signing_key[PATH_MAX];
    char signing_certificate[PATH_MAX];
};

/* Where a request carries the username. */
enum username_form { USERNAME_DNS, USERNAME_EMAIL, USERNAME_URI, USERNAME_CHALLENGE };
const char *username_form_name(enum username_form form); /* "dns", "email", "uri", "challenge" */

/* By what a request may show who sends it; server/registrar/authenticate.c has the table of what each does. */
enum authenticator { AUTHENTICATOR_PASSWORD, AUTHENTICATOR_CERTIFICATE, AUTHENTICATOR_SECRET };
#define AUTHENTICATOR_COUNT 3

/* What a CertRep SUCCESS carries beside the certificate. */
enum reply_extras { REPLY_LEAF, REPLY_WITH_CA, REPLY_WITH_CHAIN };

/* An enrolment path, /scep/NAME. */
struct config_path {
    char name[CONFIG_NAME_BYTES];
    size_t authority; /* index into authorities */
    size_t ra;        /* index into ras */
    size_t templates[CONFIG_PATH_TEMPLATES_MAX]; /* indices into templates; a device's must be among them */
    size_t templates_count;
    enum username_form username_forms[CONFIG_USERNAME_FORMS_MAX]; /* in the order in which they are tried */
    size_t username_forms_count;
    enum authenticator authenticators[AUTHENTICATOR_COUNT]; /* in the order in which they are tried; no other serves */
    size_t authenticators_count;
    char secret_file[PATH_MAX]; /* of AUTHENTICATOR_SECRET; "" where it is not among them */
    struct scep_policy policy;
    enum reply_extras reply;
    unsigned rate_per_minute; /* PKIOperations, from whomever; 0: no limit */
    unsigned user_rate_per_minute; /* PKCSReq, RenewalReq and GetCert of one user; 0: no limit */
    bool needs_approval; /* an operator decides about each request */
    bool root_in_chain; /* GetCACert's chain ends in the root (default), or below it */
};

/* Does a client of TLS show a certificate? */
enum client_certificates { CLIENT_CERTIFICATES_NONE, CLIENT_CERTIFICATES_OPTIONAL, CLIENT_CERTIFICATES_REQUIRED };

/* Who the server is to TLS clients that ask for one of its names; the first section is for all others too.
 * Either its files are given, or it is issued by an authority of ours: then certificate, chain and key are
 * in one file that the supervisor keeps, and `template` says what the certificate looks like. */
struct config_tls {
    char name[CONFIG_NAME_BYTES];
    char names[CONFIG_TLS_NAMES_MAX][CONFIG_TLS_NAME_BYTES]; /* lower case; "*.example" for what is one label below */
    size_t names_count;
    char certificate[PATH_MAX];
    char chain[PATH_MAX]; /* "" if it stands in the certificate's file */
    char key[PATH_MAX];
    enum client_certificates client_certificates;
    char client_anchors[PATH_MAX]; /* "" for none */
    size_t issue_from;             /* index into authorities; CONFIG_NONE when the files are given */
    size_t template;               /* index into templates, of one that is named "tls:NAME" and is in no path */
};

struct config {
    char directory[PATH_MAX]; /* DIR, absolute */
    char listen[CONFIG_LISTEN_MAX][128]; /* "127.0.0.1:8080", "[::1]:8080" */
    size_t listen_count;
    char listen_tls[CONFIG_LISTEN_MAX][128];
    size_t listen_tls_count;
    char public_url[CONFIG_URL_BYTES]; /* under which devices reach us; no slash at its end */
    unsigned responders;               /* processes; 0 in the file means one per core, here never 0 */
    unsigned uid_base;                 /* started as root: role n runs as uid and gid uid_base + n; 0: do not change */
    unsigned connections_max;          /* per responder */
    unsigned header_timeout_s;
    unsigned body_timeout_s;
    unsigned address_rate_per_minute;  /* PKIOperations from one address; 0: no limit */
    unsigned overall_rate_per_minute;  /* PKIOperations altogether; 0: no limit */
    int64_t password_lifetime_s;       /* of generated one-time passwords, unless the command says otherwise */
    unsigned password_tries;           /* wrong ones until the user is locked */
    int64_t pending_lifetime_s;        /* how long a request waits for an operator's decision */
    struct config_authority authorities[CONFIG_AUTHORITIES_MAX];
    size_t authorities_count;
    struct config_ra ras[CONFIG_AUTHORITIES_MAX];
    size_t ras_count;
    struct template templates[CONFIG_TEMPLATES_MAX + CONFIG_TLS_MAX];
    size_t templates_count;
    struct config_path paths[CONFIG_PATHS_MAX];
    size_t paths_count;
    struct config_tls tls[CONFIG_TLS_MAX];
    size_t tls_count;
};

/* Places within DIR that are fixed. */
#define CONFIG_FILE "musterd.conf"
#define CONFIG_CONTROL_SOCKET "run/control.sock"
#define CONFIG_REGISTRAR_DIRECTORY "registrar"
#define CONFIG_SIGNER_DIRECTORY "signer"
#define CONFIG_TLS_DIRECTORY "tls" /* NAME.pem of each section that an authority of ours issues */

/* Read DIR/musterd.conf and check it.
 *   out   given  config_free() it
 * BAD_INPUT  "musterd.conf:12: ..." with what was expected     FAULT  the file cannot be read */
MUST_USE enum status config_load(const char *directory, struct config **out);
void config_free(struct config *config);
AUTO_FREE(config_free, struct config)

/* NULL when there is none of that name. */
const struct config_path *config_find_path(const struct config *config, struct span name);
const struct template *config_find_template(const struct config *config, struct span name);
const struct config_tls *config_find_tls(const struct config *config, struct span name);
const struct config_authority *config_find_authority(const struct config *config, struct span name);

/* Read the secret that all devices of a path share: the first line of its secret_file.
 *   out   given  wiped by whoever clears it
 * BAD_INPUT  others than its owner may read it, or it is no line of 16 to 255 bytes     FAULT  cannot be read */
#define CONFIG_SECRET_LEAST_BYTES 16
#define CONFIG_SECRET_MOST_BYTES 255
MUST_USE enum status config_read_secret(const struct config_path *path, struct buf *out);

/* A path of the configuration as an absolute one (relative ones start at DIR). */
MUST_USE enum status config_absolute(const struct config *config, const char *path, char out[PATH_MAX]);
