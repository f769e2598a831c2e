# SPDX-License-Identifier: Apache-2.0
"""Seeds for the fuzzers, taken from messages in DER.

    seeds.py DIRECTORY FILE...

Makes DIRECTORY/message, /envelope (eContent), /attribute (the signed attributes) and /get (a GET with the message)."""

import base64
import pathlib
import sys
import urllib.parse

import der


def write(directory, kind, name, data):
    (directory / kind).mkdir(parents=True, exist_ok=True)
    (directory / kind / name).write_bytes(data)


def parts(data):
    """What stands inside a SignedData that is DER; what is not there is left out."""
    body = der.read(data)[1][0]
    yield "envelope", body[2][1][0].content
    yield "attribute", next(node for node in body[-1][0] if node.tag == 0xA0).content


def main(directory, *files):
    for file in map(pathlib.Path, files):
        data = file.read_bytes()
        write(directory, "message", file.name, data)
        text = urllib.parse.quote(base64.b64encode(data), safe="")
        write(directory, "get", file.name, b"/scep/device/x?operation=PKIOperation&message=" + text.encode())
        try:
            for kind, part in parts(data):
                write(directory, kind, file.name, part)
        except (AssertionError, IndexError, StopIteration):
            pass # BER, or bad on purpose: a seed for the whole message only


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), *sys.argv[2:])
