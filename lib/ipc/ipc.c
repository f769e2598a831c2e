/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/ipc/ipc.h"

#include <endian.h>

enum field_type { FIELD_U8, FIELD_U32, FIELD_I64, FIELD_BYTES };

struct field {
    enum field_type type;
    size_t offset; /* within struct ipc_message */
    size_t most;
};

#define MESSAGE(name, from, to, what) static const struct field fields_##name[] = {
#define U8(message, member, what) { FIELD_U8, offsetof(struct ipc_message, message.member), 0 },
#define U32(message, member, what) { FIELD_U32, offsetof(struct ipc_message, message.member), 0 },
#define I64(message, member, what) { FIELD_I64, offsetof(struct ipc_message, message.member), 0 },
#define BYTES(message, member, most, what) { FIELD_BYTES, offsetof(struct ipc_message, message.member), most },
#define END(name) };
#include "lib/ipc/msg.def"

static const struct layout {
    const char *name;
    enum ipc_role from;
    enum ipc_role to;
    const struct field *fields;
    size_t count;
} layouts[IPC_KIND_COUNT] = {
#define MESSAGE(name, from, to, what) \
    [IPC_KIND_##name] = { #name, IPC_##from, IPC_##to, fields_##name, COUNT_OF(fields_##name) },
#include "lib/ipc/msg.def"
};

static const char *const role_names[IPC_ROLE_COUNT] = {
    [IPC_SUPERVISOR] = "supervisor", [IPC_RESPONDER] = "responder", [IPC_REGISTRAR] = "registrar",
    [IPC_SIGNER] = "signer",         [IPC_OPERATOR] = "operator",   [IPC_ROLE] = "role",
};

const char *ipc_role_name(enum ipc_role role)
{
    return role < IPC_ROLE_COUNT ? role_names[role] : "unknown";
}

const char *ipc_kind_name(enum ipc_kind kind)
{
    return kind > IPC_NONE && kind < IPC_KIND_COUNT ? layouts[kind].name : "unknown";
}

static bool role_matches(enum ipc_role wanted, enum ipc_role actual)
{
    if (wanted != IPC_ROLE)
        return wanted == actual;
    return actual == IPC_RESPONDER || actual == IPC_REGISTRAR || actual == IPC_SIGNER;
}

bool ipc_may_send(enum ipc_kind kind, enum ipc_role from, enum ipc_role to)
{
    return kind > IPC_NONE && kind < IPC_KIND_COUNT && role_matches(layouts[kind].from, from) &&
           role_matches(layouts[kind].to, to);
}

static enum status pack_number(uint64_t value, size_t size, struct buf *out)
{
    const uint64_t big = htobe64(value);

    return buf_append(out, span_of((const uint8_t *)&big + 8 - size, size));
}

static enum status pack_field(const struct field *field, const struct ipc_message *message, struct buf *out)
{
    const uint8_t *at = (const uint8_t *)message + field->offset;
    struct span bytes;
    uint32_t number;
    int64_t wide;

    switch (field->type) {
    case FIELD_U8:
        return pack_number(*at, 1, out);
    case FIELD_U32:
        memcpy(&number, at, sizeof number);
        return pack_number(number, 4, out);
    case FIELD_I64:
        memcpy(&wide, at, sizeof wide);
        return pack_number((uint64_t)wide, 8, out);
    case FIELD_BYTES:
        memcpy(&bytes, at, sizeof bytes);
        if (bytes.len > field->most)
            return fail(BAD_INPUT, "ipc: %s: a field of %zu bytes, at most %zu", ipc_kind_name(message->kind),
                        bytes.len, field->most);
        TRY(pack_number(bytes.len, 4, out));
        return buf_append(out, bytes);
    }
    return FAULT;
}

enum status ipc_pack(const struct ipc_message *message, struct buf *out)
{
    const size_t start = out->len;

    if (message->kind <= IPC_NONE || message->kind >= IPC_KIND_COUNT)
        return fail(FAULT, "ipc: no message of kind %d", (int)message->kind);
    const struct layout *layout = &layouts[message->kind];
    enum status status = pack_number(0, 4, out);
    if (status == OK)
        status = pack_number((uint64_t)message->kind, 2, out);
    for (size_t i = 0; i < layout->count && status == OK; i++)
        status = pack_field(&layout->fields[i], message, out);
    if (status != OK) {
        out->len = start < out->len ? start : out->len;
        return status;
    }
    const uint32_t length = htobe32((uint32_t)(out->len - start - 4));
    memcpy(out->ptr + start, &length, sizeof length);
    return OK;
}

static bool unpack_number(struct span *from, size_t size, uint64_t *out)
{
    uint64_t big = 0;

    if (from->len < size)
        return false;
    memcpy((uint8_t *)&big + 8 - size, from->ptr, size);
    from->ptr += size;
    from->len -= size;
    *out = be64toh(big);
    return true;
}

static bool unpack_field(const struct field *field, struct span *from, struct ipc_message *message)
{
    static const size_t sizes[] = { [FIELD_U8] = 1, [FIELD_U32] = 4, [FIELD_I64] = 8, [FIELD_BYTES] = 4 };
    uint8_t *at = (uint8_t *)message + field->offset;
    uint64_t value;

    if (!unpack_number(from, sizes[field->type], &value))
        return false;
    if (field->type == FIELD_U8) {
        *at = (uint8_t)value;
    } else if (field->type == FIELD_U32) {
        const uint32_t number = (uint32_t)value;
        memcpy(at, &number, sizeof number);
    } else if (field->type == FIELD_I64) {
        memcpy(at, &value, sizeof value);
    } else {
        if (value > field->most || value > from->len)
            return false;
        const struct span bytes = { from->ptr, (size_t)value };
        memcpy(at, &bytes, sizeof bytes);
        from->ptr += value;
        from->len -= (size_t)value;
    }
    return true;
}

enum status ipc_unpack(struct span bytes, struct ipc_message *out, size_t *used)
{
    uint64_t length, kind;
    struct ipc_message message = { .fd = -1 };

    if (!unpack_number(&bytes, 4, &length))
        return PENDING;
    if (length > IPC_FRAME_MAX_BYTES || length < 2)
        return fail(BAD_INPUT, "ipc: a frame of %llu bytes", (unsigned long long)length);
    if (bytes.len < length)
        return PENDING;
    struct span frame = { bytes.ptr, (size_t)length };
    if (!unpack_number(&frame, 2, &kind) || kind == IPC_NONE || kind >= IPC_KIND_COUNT)
        return fail(BAD_INPUT, "ipc: a message of unknown kind");
    message.kind = (enum ipc_kind)kind;
    const struct layout *layout = &layouts[kind];
    for (size_t i = 0; i < layout->count; i++)
        if (!unpack_field(&layout->fields[i], &frame, &message))
            return fail(BAD_INPUT, "ipc: %s: field %zu is broken", layout->name, i + 1);
    if (frame.len)
        return fail(BAD_INPUT, "ipc: %s: %zu bytes left over", layout->name, frame.len);
    *out = message;
    *used = (size_t)length + 4;
    return OK;
}
