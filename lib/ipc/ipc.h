/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages between Muster's own processes: packing, unpacking, channels.
 *
 * Knows: msg.def, frames on a stream socket, descriptors passed along.  A frame is its length
 * (4 bytes, of what follows), its kind (2 bytes), then the fields: numbers big-endian, bytes
 * with a 4-byte length before them.  Whoever breaks the format or sends what is not his to
 * send is not argued with: the channel reports BAD_INPUT and its owner ends.
 */
#pragma once

#include "lib/base/span.h"

enum ipc_role {
    IPC_SUPERVISOR,
    IPC_RESPONDER,
    IPC_REGISTRAR,
    IPC_SIGNER,
    IPC_OPERATOR,
    IPC_ROLE, /* any of the roles the supervisor starts */
    IPC_ROLE_COUNT
};

const char *ipc_role_name(enum ipc_role role);

enum ipc_kind {
    IPC_NONE,
#define MESSAGE(name, from, to, what) IPC_KIND_##name,
#include "lib/ipc/msg.def"
    IPC_KIND_COUNT
};

/* struct ipc_enrol { int64_t exchange; struct span path; ... } and so on, one for each message. */
#define MESSAGE(name, from, to, what) struct ipc_##name {
#define U8(message, field, what) uint8_t field;
#define U32(message, field, what) uint32_t field;
#define I64(message, field, what) int64_t field;
#define BYTES(message, field, most, what) struct span field;
#define END(name) };
#include "lib/ipc/msg.def"

/* Any message; `kind` says which member holds. */
struct ipc_message {
    enum ipc_kind kind;
    int fd; /* a descriptor that came along (peer, tls_file), else -1; the receiver's to close */
    union {
#define MESSAGE(name, from, to, what) struct ipc_##name name;
#include "lib/ipc/msg.def"
    };
};

#define IPC_FRAME_MAX_BYTES ((size_t)131072)

/* Pack a message as one frame, appended.  BAD_INPUT: a field longer than msg.def allows. */
MUST_USE enum status ipc_pack(const struct ipc_message *message, struct buf *out);

/* Unpack the first frame of `bytes`.
 *
 *   out    spans are lent from `bytes`
 *   used   bytes that the frame took
 *
 * PENDING    the frame is not complete yet
 * BAD_INPUT  unknown kind, a length that does not fit, a field over its limit, bytes left over */
MUST_USE enum status ipc_unpack(struct span bytes, struct ipc_message *out, size_t *used);

const char *ipc_kind_name(enum ipc_kind kind);

/* May `from` send this kind to `to`? (the third and second column of msg.def) */
bool ipc_may_send(enum ipc_kind kind, enum ipc_role from, enum ipc_role to);

/* One end of a stream socket to one other process.  The descriptor is non-blocking. */
struct ipc_channel {
    int fd;             /* -1 when closed */
    enum ipc_role self;
    enum ipc_role peer;
    uint32_t number;    /* which one of the peers */
    struct buf in;      /* read, not yet consumed; limit bounds it */
    struct buf out;     /* packed, not yet written */
    size_t in_used;     /* consumed part of `in` */
    int passed_fd;      /* a descriptor that came and was not yet handed out, or -1 */
};

/* Take over a connected descriptor (made non-blocking). */
MUST_USE enum status ipc_channel_init(struct ipc_channel *channel, int fd, enum ipc_role self,
                                      enum ipc_role peer, uint32_t number);
void ipc_channel_clear(struct ipc_channel *channel); /* closes, wipes; fine twice */

/* Read what is there.  PENDING: nothing now.  FAULT: the other end has gone. */
MUST_USE enum status ipc_channel_fill(struct ipc_channel *channel);

/* The next complete message out of what was read; spans are lent until the next fill.
 * PENDING    none complete
 * BAD_INPUT  a broken frame, or a kind this peer may not send us: end the process (or, for an
 *            operator's channel, the connection) */
MUST_USE enum status ipc_channel_next(struct ipc_channel *channel, struct ipc_message *out);

/* Pack into the channel's output; nothing is written before ipc_channel_flush(). */
MUST_USE enum status ipc_channel_send(struct ipc_channel *channel, const struct ipc_message *message);

/* Write what can be written.  PENDING: the rest must wait until the socket is writable.  FAULT: gone. */
MUST_USE enum status ipc_channel_flush(struct ipc_channel *channel);

/* True when there is output that still waits. */
static inline bool ipc_channel_has_output(const struct ipc_channel *channel)
{
    return channel->out.len > 0;
}

/* A role's word to its supervisor, on its way at once: it has opened what it needs, is jailed, and works.
 * PENDING  the rest waits until the socket is writable     FAULT  the supervisor has gone */
MUST_USE enum status ipc_send_ready(struct ipc_channel *supervisor);

/* Send one message with a descriptor at once, blocking; for the supervisor's `peer` and `tls_file`.  `fd` stays open here. */
MUST_USE enum status ipc_send_with_fd(int socket, const struct ipc_message *message, int fd);
