# SPDX-License-Identifier: Apache-2.0
"""DER, written and read by hand: enough to build every message that must be refused.

Knows nothing of Muster's own code, so what the two agree on is the standard."""

SEQUENCE, SET = 0x30, 0x31


def tlv(tag, *content):
    body = b"".join(content)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    size = (len(body).bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + len(body).to_bytes(size, "big") + body


def seq(*content):
    return tlv(SEQUENCE, *content)


def set_of(*content):
    """A SET OF as DER orders it."""
    return tlv(SET, *sorted(content))


def set_as_given(*content):
    return tlv(SET, *content)


def context(number, *content, constructed=True):
    return tlv((0xA0 if constructed else 0x80) | number, *content)


def integer(value):
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def boolean(value):
    return tlv(0x01, b"\xff" if value else b"\x00")


def null():
    return tlv(0x05)


def octets(data):
    return tlv(0x04, data)


def bits(data):
    return tlv(0x03, b"\x00", data)


def utf8(text):
    return tlv(0x0C, text.encode() if isinstance(text, str) else text)


def printable(text):
    return tlv(0x13, text.encode() if isinstance(text, str) else text)


def ia5(text):
    return tlv(0x16, text.encode() if isinstance(text, str) else text)


def bmp(text):
    return tlv(0x1E, text.encode("utf-16-be"))


def utc_time(when):
    return tlv(0x17, when.strftime("%y%m%d%H%M%SZ").encode())


def oid(dotted):
    first, second, *rest = [int(arc) for arc in dotted.split(".")]
    out = bytearray()
    for arc in [40 * first + second, *rest]:
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(0x80 | (arc & 0x7F))
        out += bytes(reversed(groups))
    return tlv(0x06, bytes(out))


class Node:
    """One element that was read: tag, content, and its bytes as they stood."""

    def __init__(self, tag, content, raw):
        self.tag, self.content, self.raw = tag, content, raw

    def __iter__(self):
        return iter(read_all(self.content))

    def __getitem__(self, index):
        return read_all(self.content)[index]

    def __len__(self):
        return len(read_all(self.content))

    def integer(self):
        assert self.tag == 0x02, f"INTEGER expected, found tag {self.tag:#x}"
        return int.from_bytes(self.content, "big", signed=True)

    def oid(self):
        assert self.tag == 0x06, f"OBJECT IDENTIFIER expected, found tag {self.tag:#x}"
        arcs, value = [], 0
        for byte in self.content:
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                arcs.append(value)
                value = 0
        first = min(arcs[0] // 40, 2)
        return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


def _read_one(data, at):
    tag, length, head = data[at], data[at + 1], 2
    assert tag & 0x1F != 0x1F, "long tags are not DER that SCEP uses"
    if length >= 0x80:
        size = length & 0x7F
        assert 1 <= size <= 4, "indefinite or absurd length: not DER"
        length = int.from_bytes(data[at + 2 : at + 2 + size], "big")
        assert length >= 0x80 and length >> 8 * (size - 1), "length not in its shortest form: not DER"
        head += size
    end = at + head + length
    assert end <= len(data), "element runs over its end"
    return Node(tag, data[at + head : end], data[at:end]), end


def read_all(data):
    nodes, at = [], 0
    while at < len(data):
        node, at = _read_one(data, at)
        nodes.append(node)
    return nodes


def read(data):
    node, end = _read_one(data, 0)
    assert end == len(data), "bytes follow the element"
    return node
