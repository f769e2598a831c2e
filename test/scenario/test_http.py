# SPDX-License-Identifier: Apache-2.0
"""The HTTP side: operations, answers and their exact types, limits."""

import base64
import socket
import urllib.parse

import pytest
from cryptography import x509

import scepmsg
from server import PKI_MESSAGE, is_ca


def test_the_capabilities_are_words_on_lines(server):
    answer = server.get("operation=GetCACaps")
    assert (answer.status, answer.kind) == (200, "text/plain")
    words = answer.body.decode().split("\n")
    assert {"AES", "POSTPKIOperation", "Renewal", "SHA-256", "SHA-512", "SCEPStandard"} <= set(words)
    assert "DES3" not in words and "SHA-1" not in words and "GetNextCACert" not in words
    assert b"\r" not in answer.body


def test_get_ca_cert_gives_the_chain_ra_first(server):
    answer = server.get("operation=GetCACert")
    assert (answer.status, answer.kind) == (200, "application/x-x509-ca-ra-cert")
    certs = scepmsg.certs_only(answer.body)
    assert certs[0] == server.ra_cert()
    authorities = certs[1:]
    for below, above in zip(authorities, authorities[1:]):
        assert below.issuer == above.subject
    assert authorities[-1].issuer == authorities[-1].subject


@pytest.mark.parametrize("message", ["", "&message=", "&message=0", "&message=1", "&message=CAIdentifier", "&foo=bar"])
def test_get_ca_cert_takes_what_clients_write(server, message):
    answer = server.get("operation=GetCACert" + message)
    assert answer.status == 200 and len(scepmsg.certs_only(answer.body)) == 4


def test_each_authority_can_be_asked_for_by_its_identifier(server):
    """Level by level, so that a client can verify each before it asks for the next."""
    authorities = [c for c in server.ca_certs() if is_ca(c)]
    for name, wanted in [("level-0", authorities[0]), ("level-1", authorities[1]), ("level-2", authorities[2]),
                         ("root", authorities[2])]:
        answer = server.get("operation=GetCACert&message=" + name)
        assert (answer.status, answer.kind) == (200, "application/x-x509-ca-cert"), name
        assert x509.load_der_x509_certificate(answer.body) == wanted


def test_an_unknown_identifier_is_answered_with_4xx(server):
    assert 400 <= server.get("operation=GetCACert&message=level-3").status < 500


def test_the_tail_of_the_path_does_not_matter(server, device):
    for tail in ["/pkiclient.exe", "/cgi-bin/pkiclient.exe", "/"]:
        assert server.request("GET", f"/scep/device{tail}?operation=GetCACaps").status == 200, tail


@pytest.mark.parametrize("target, status", [
    ("/scep/device?operation=Nonsense", 400), ("/scep/device", 400), ("/scep/device?operation=", 400),
    ("/scep/nobody?operation=GetCACaps", 404), ("/", 404), ("/scep", 404), ("/scep/", 404),
    ("/scep/device?operation=GetCACaps&operation=GetCACert", 400), ("/scep/device?operation=%zz", 400),
    ("/scep/device?operation=PKIOperation", 400), ("/scep/device?operation=PKIOperation&message=%%%", 400),
    ("/scep/device?operation=PKIOperation&message=bm90IERFUg==", 400), ("/scep/../scep/device?operation=GetCACaps", 404),
])
def test_what_is_not_there_is_answered_with_4xx(server, target, status):
    assert server.request("GET", target).status == status


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_are_refused(server, method):
    assert server.request(method, "/scep/device?operation=GetCACaps").status in (400, 405, 501)


def test_a_body_over_64_kib_is_refused(server, device):
    before = len(server.events(kind="refused"))
    assert server.post(b"\x30" * 65537).status == 413
    events = server.events(kind="refused")
    assert len(events) == before + 1 and "body is longer" in events[-1]["text"]
    assert server.post(b"\x30" * 65536).status == 400
    assert server.enrol(device).status == 0


def test_a_body_that_is_announced_too_long_is_refused_before_it_comes(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as s:
        s.sendall(b"POST /scep/device?operation=PKIOperation HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        assert s.recv(100).split()[1] in (b"413", b"400")


def test_lengths_that_contradict_are_refused(server):
    for head in [b"Content-Length: 5\r\nContent-Length: 6\r\n", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                 b"Content-Length: -1\r\n", b"Content-Length: 0x10\r\n"]:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as s:
            s.sendall(b"POST /scep/device?operation=PKIOperation HTTP/1.1\r\nHost: x\r\n" + head + b"\r\nhello")
            assert s.recv(100).split()[1][:1] in (b"4", b"5"), head


def test_http_1_0_without_host_is_served(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as s:
        s.sendall(b"GET /scep/device?operation=GetCACaps HTTP/1.0\r\n\r\n")
        data = b""
        while piece := s.recv(4096):
            data += piece
    assert b" 200 " in data.split(b"\r\n")[0] and b"SCEPStandard" in data


def mangled(text):
    """The ways in which fielded clients break base64 in a query."""
    quoted = urllib.parse.quote(text, safe="")
    yield "quoted", quoted
    yield "raw", text
    yield "plus-as-blank", text.replace("+", "%20")
    yield "only-equals", text.replace("=", "%3D")
    yield "url-safe", text.replace("+", "-").replace("/", "_")
    yield "no-padding", quoted.replace("%3D", "")
    yield "lines", "%0A".join(quoted_lines(text))
    yield "crlf", "%0D%0A".join(quoted_lines(text))


def quoted_lines(text):
    return [urllib.parse.quote(text[i:i + 60], safe="") for i in range(0, len(text), 60)]


def test_base64_is_taken_in_every_form_that_clients_send(server, device):
    message = server.message(device)
    text = base64.b64encode(message.der()).decode()
    for name, value in mangled(text):
        answer = server.get("operation=PKIOperation&message=" + value)
        assert (answer.status, answer.kind) == (200, PKI_MESSAGE), name
        reply = scepmsg.read_reply(answer.body, device.key, device.cert, server.ca_certs())
        assert reply.status == 0, f"{name}: {reply.text}"
    assert len(server.certificates(device=device.name)) == 1


def test_a_refused_message_that_could_not_be_parsed_is_an_event_too(server):
    before = len(server.events(kind="refused"))
    assert server.post(b"\x30\x03\x02\x01\x05").status == 400
    events = server.events(kind="refused")
    assert len(events) == before + 1 and events[-1]["text"]
