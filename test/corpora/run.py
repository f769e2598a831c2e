# SPDX-License-Identifier: Apache-2.0
"""Feed the corpora to build/test/corpora-feed: every file as it is, and every PEM block decoded.

    run.py CORPORA BUILD [LIMIT_MS]

Ends with "files N, ..." and 0 where nothing crashed, was reported by a sanitizer, or took too long."""

import base64
import hashlib
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

BLOCK = re.compile(rb"-----BEGIN [^-]+-----(.*?)-----END", re.S)


def safe_members(archive):
    for member in archive.getmembers():
        if member.isfile() and ".." not in member.name and not member.name.startswith("/"):
            yield member


def pem_blocks(path):
    for block in BLOCK.findall(path.read_bytes()):
        try:
            yield base64.b64decode(b"".join(line for line in block.split(b"\n") if b":" not in line))
        except ValueError:
            continue


def collect(corpora, work):
    """The files of `messages`, the unpacked archives of `asn1-fuzz`, and the PEM blocks of all of them."""
    for path in sorted((corpora / "asn1-fuzz").glob("*.tar.gz")):
        with tarfile.open(path) as archive:
            archive.extractall(work, members=safe_members(archive))
    files = [p for p in sorted((corpora / "messages").rglob("*")) if p.is_file() and p.suffix not in (".md", ".tsv")]
    decoded = work / "pem"
    decoded.mkdir()
    for path in files:
        for der in pem_blocks(path):
            (decoded / hashlib.sha256(der).hexdigest()).write_bytes(der)
    return files + [p for p in sorted(work.rglob("*")) if p.is_file()]


def main(corpora, build, limit_ms="100"):
    with tempfile.TemporaryDirectory() as work:
        files = collect(pathlib.Path(corpora).resolve(), pathlib.Path(work))
        if not files:
            sys.exit(f"{corpora}: no files")
        names = "".join(f"{p}\n" for p in files)
        feed = pathlib.Path(build) / "test" / "corpora-feed"
        done = subprocess.run([feed, limit_ms], input=names, text=True, capture_output=True)
    sys.stderr.write(done.stderr[-8000:])
    sys.stdout.write(done.stdout)
    expected = done.stdout.startswith(f"files {len(files)},")
    sys.exit(done.returncode or (0 if expected else 1))


if __name__ == "__main__":
    main(*sys.argv[1:])
