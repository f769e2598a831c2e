# SPDX-License-Identifier: Apache-2.0
"""Hostile input against a running server: one answer each, a clean close, nothing issued, and nothing learned.

MUSTER_BUILD may name a build with sanitizers; that none of them had anything to say is seen when the server ends."""

import http.client
import json
import os
import pathlib
import re
import socket
import tarfile
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

import der
import scepmsg
from server import PKI_MESSAGE, pem

CORPORA = pathlib.Path(os.environ.get("MUSTER_CORPORA", pathlib.Path(__file__).parents[3] / "shared" / "corpora"))


def corpus(name):
    directory = CORPORA / name
    assert directory.is_dir(), f"corpora absent: {directory} is not there (MUSTER_CORPORA says where)"
    return directory


# --- Replays and sizes ------------------------------------------------------------


def test_a_message_that_is_replayed_a_hundred_times_gets_one_serial(server, device):
    message = server.message(device)
    serials = {server.exchange(message).certs[0].serial_number for _ in range(100)}
    assert len(serials) == 1 and len(server.certificates(device=device.name)) == 1
    assert len(server.events(kind="enrolled", device=device.name)) == 1


@pytest.mark.parametrize("size, status", [(0, 400), (1 << 20, 413)])
def test_a_transaction_id_of_nothing_or_a_megabyte_is_refused(server, device, size, status):
    assert server.post(server.message(device, transaction=der.printable("a" * size)).der()).status == status
    assert server.certificates(device=device.name) == []


def test_a_nonce_of_nothing_or_a_megabyte_is_refused(server, device):
    answer = server.post(server.message(device, nonce=b"").der())
    reply = scepmsg.read_reply(answer.body, device.key, device.cert, server.ca_certs_once())
    assert (reply.status, reply.fail_info, reply.recipient_nonce) == (2, 2, None)
    assert server.post(server.message(device, nonce=bytes(1 << 20)).der()).status == 413
    assert server.certificates(device=device.name) == []


# --- Bleichenbacher -----------------------------------------------------------------


def add_path(server, name, key):
    """An enrolment path whose RA decrypts with this key and signs with that of `default`; its certificate."""
    folder = server.directory / "authority" / "root"
    above = x509.load_pem_x509_certificate((folder / "cert.pem").read_bytes())
    above_key = serialization.load_pem_private_key((folder / "key.pem").read_bytes(), None)
    model = x509.load_pem_x509_certificate((server.directory / "ra/default/cert.pem").read_bytes())
    builder = (x509.CertificateBuilder().subject_name(model.subject).issuer_name(above.subject)
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(model.not_valid_before).not_valid_after(model.not_valid_after))
    for extension in model.extensions:
        value = extension.value
        if isinstance(value, x509.SubjectKeyIdentifier):
            value = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(value, extension.critical)
    cert = builder.sign(above_key, hashes.SHA256())
    folder = server.directory / "ra" / name
    folder.mkdir()
    (folder / "cert.pem").write_bytes(pem(cert))
    (folder / "key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    (folder / "key.pem").chmod(0o600)
    with server.config_path.open("a") as config:
        config.write(f'ra {name} {{\n encryption_key = "ra/{name}/key.pem"\n'
                     f' encryption_certificate = "ra/{name}/cert.pem"\n signing_key = "ra/default/key.pem"\n'
                     f' signing_certificate = "ra/default/cert.pem"\n}}\n'
                     f'path {name} {{\n authority = "root"\n ra = "{name}"\n templates = {{"device"}}\n'
                     f' username_forms = {{"dns"}}\n}}\n')
    return cert


def envelope_with(cert, encrypted_key):
    info = der.seq(der.integer(0), scepmsg.issuer_and_serial(cert), scepmsg.algorithm(scepmsg.RSA),
                   der.octets(encrypted_key))
    content = der.seq(der.oid(scepmsg.DATA), scepmsg.algorithm(scepmsg.CIPHERS["aes128"][0], der.octets(bytes(16))),
                      der.context(0, bytes(1024), constructed=False))
    return der.seq(der.oid(scepmsg.ENVELOPED), der.context(0, der.seq(der.integer(0), der.set_of(info), content)))


def without_nonce_and_time(answer):
    """Everything in a reply but the senderNonce, the signingTime and so the signature."""
    assert (answer.status, answer.kind) == (200, PKI_MESSAGE), answer
    body = der.read(answer.body)[1][0]
    info = body[-1][0]
    attributes = [a.raw for a in info[3] if a[0].oid() not in (scepmsg.SENDER_NONCE, scepmsg.SIGNING_TIME)]
    return len(answer.body), [n.raw for n in body][:-1], [n.raw for n in info][:3], attributes, info[-2].raw


KEYS_AT_ONCE = 12       # a server has 16 RAs at most


def ask(server, device, path, cert, tests):
    """What is the same, or not, in the answers to these vectors."""
    for test in tests:
        message = server.message(device, content=envelope_with(cert, bytes.fromhex(test["ct"])), transaction="one",
                                 nonce=bytes(16))
        answer = server.post(message.der(), path=path)
        reply = scepmsg.read_reply(answer.body, device.key, device.cert, server.ca_certs_once())
        assert (reply.status, reply.fail_info) == (2, 1), f"vector {test['tcId']}: {reply}"
        yield without_nonce_and_time(answer)


def test_no_padding_of_pkcs1_is_told_from_another(new_server):
    """The 67 vectors of Wycheproof: valid ones of every length, and every way to break the padding."""
    vectors = json.loads((corpus("wycheproof") / "rsa_pkcs1_2048_test.json").read_text())
    server = new_server("--depth", "1").start()
    device, config = server.add_device("oracle"), server.config_path.read_text()
    seen = []
    for at in range(0, len(vectors["testGroups"]), KEYS_AT_ONCE):
        assert server.stop() == 0
        server.config_path.write_text(config)
        paths = []
        for i, group in enumerate(vectors["testGroups"][at : at + KEYS_AT_ONCE], at):
            key = serialization.load_der_private_key(bytes.fromhex(group["privateKeyPkcs8"]), None)
            paths.append((f"v{i}", add_path(server, f"v{i}", key), group["tests"]))
        server.start()
        seen += [list(ask(server, device, *path)) for path in paths]
    answers = [answer for some in seen for answer in some]
    assert len(answers) == 67 and all(answer == answers[0] for answer in answers)


# --- Everything in the corpora ------------------------------------------------------


def binary_files():
    for path in sorted(corpus("asn1-fuzz").glob("*.tar.gz")):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile():
                    yield f"{path.name}/{member.name}", archive.extractfile(member).read()
    for path in sorted(corpus("messages").rglob("*")):
        if path.is_file():
            yield path.name, path.read_bytes()


class Line:
    """One connection after another, each for as long as the server keeps it."""

    def __init__(self, server):
        self.server, self.link = server, None

    def post(self, body):
        self.link = self.link or http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        self.link.request("POST", "/scep/device?operation=PKIOperation", body, {"Content-Type": PKI_MESSAGE})
        answer = self.link.getresponse()
        answer.read()
        if answer.getheader("Connection", "").lower() == "close":
            self.link.close()
            self.link = None
        return answer.status


def report(what, times):
    times = sorted(times)
    print(f"\n{what}: {len(times)} files, median {times[len(times) // 2] * 1e3:.1f} ms, longest {times[-1] * 1e3:.1f} ms")


def test_every_binary_file_of_the_corpora_gets_one_answer(server, device):
    line, times, before, pids = Line(server), [], len(server.certificates()), server.children()
    for name, data in binary_files():
        start = time.monotonic()
        status = line.post(data)
        times.append(time.monotonic() - start)
        assert status == 200 or 400 <= status < 500, f"{name}: HTTP {status}"
    assert len(times) > 7000
    report("asn1-fuzz and messages", times)
    assert len(server.certificates()) == before and server.children() == pids
    assert server.enrol(device).status == 0


def talk(server, data):
    """Send it all, close our side, and hear everything until the server closes."""
    heard = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as s:
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while piece := s.recv(65536):
                heard += piece
        except (ConnectionResetError, BrokenPipeError):
            pass # it was closed before all had come
    return heard


def answers_in(heard):
    """The status of each answer, and that nothing stands between or after them."""
    found = []
    while heard:
        head, end, rest = heard.partition(b"\r\n\r\n")
        first = re.match(rb"HTTP/1\.1 (\d{3}) ", head)
        assert end and first, heard[:80]
        length = re.search(rb"\r\nContent-Length: (\d+)", head)
        size = min(int(length[1]), len(rest)) if length else 0 # HEAD has the length without the body
        if rest.startswith(b"HTTP/1.1 "):
            size = 0
        if int(first[1]) != 100:
            found.append(int(first[1]))
        heard = rest[size:]
    return found


def test_every_http_stream_of_the_corpora_is_answered_and_closed(server, device):
    directory, times, pids = corpus("http"), [], server.children()
    rows = [line.split("\t") for line in (directory / "cases.tsv").read_text().splitlines() if line[0] != "#"]
    for name, expected, *_ in rows:
        if name.startswith("response/"):
            continue
        data = (directory / name).read_bytes()
        start = time.monotonic()
        found = answers_in(talk(server, data))
        times.append(time.monotonic() - start)
        if expected == "REJECT_400_AND_CLOSE":
            assert len(found) == 1 and found[0] in (400, 501), f"{name}: {found}"
        assert all(f < 500 or f in (501, 505) for f in found), f"{name}: {found}"
    assert len(times) > 1100
    report("http", times)
    assert server.children() == pids and server.enrol(device).status == 0
