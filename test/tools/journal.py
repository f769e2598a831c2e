# SPDX-License-Identifier: Apache-2.0
"""An independent reader of the signer's journal (server/signer/segment.h): proves the chain, yields records."""

import hashlib
import pathlib
import struct

HEADER = struct.Struct(">8sIQ32s32s")


def _fields(body, at):
    while at < len(body):
        (length,) = struct.unpack_from(">H", body, at)
        yield body[at + 2 : at + 2 + length]
        at += 2 + length


def read_journal(directory):
    """[(sequence, serial as hex, device)], in order; AssertionError where the chain does not hold."""
    records, previous, sequence = [], bytes(32), 1
    for path in sorted(pathlib.Path(directory).glob("*.log")):
        data = path.read_bytes()
        magic, _, first, before, digest = HEADER.unpack_from(data)
        assert magic == b"MUSTERJ1" and before == previous and first == sequence, f"{path}: header"
        assert hashlib.sha256(data[:52]).digest() == digest, f"{path}: hash of the header"
        at, chain = HEADER.size, digest
        while at < len(data):
            length, inverse = struct.unpack_from(">II", data, at)
            assert length ^ inverse == 0xFFFFFFFF, f"{path}: length at {at}"
            whole = data[at : at + 8 + length]
            chain = hashlib.sha256(chain + whole).digest()
            assert data[at + 8 + length : at + 40 + length] == chain, f"{path}: hash at {at}"
            body = whole[8:]
            (number,) = struct.unpack_from(">Q", body)
            assert number == sequence, f"{path}: record {number} where {sequence} should be"
            serial, _, _, device, _ = _fields(body, 9)
            records.append((number, serial.hex(), device.decode()))
            sequence += 1
            at += 40 + length
        previous = chain
    return records
