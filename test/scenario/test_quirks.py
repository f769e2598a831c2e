# SPDX-License-Identifier: Apache-2.0
"""What fielded clients send, written byte for byte after each of them: none of it is refused.

The replies of servers that an agent must read are in lib/scep/scep_quirks_test.c."""

import base64
import datetime
import os
import socket
import urllib.parse
from dataclasses import dataclass

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.x509.oid import NameOID

import der
import scepmsg
from server import PKI_MESSAGE

END = b"\0\0"
PKCS1 = "1.2.840.113549.1.1."


def indefinite(tag, *content):
    return bytes([tag, 0x80]) + b"".join(content) + END


def segments(tag, data, size=1000):
    return indefinite(tag, *[der.octets(data[i : i + size]) for i in range(0, len(data), size)])


def respelled(name):
    """A Name of the same meaning (RFC 5280 s7.1) in other bytes: another string type, case and blanks."""
    def value(node):
        return der.printable(" " + node.content.decode().upper().replace(" ", "  ")) if node.tag == 0x0C else node.raw

    sets = [der.set_of(*[der.seq(pair[0].raw, value(pair[1])) for pair in rdn]) for rdn in der.read(name)]
    return der.seq(*sets)


def recipient(cert, key, name=None):
    id_ = der.seq(name or cert.issuer.public_bytes(), der.integer(cert.serial_number))
    return der.seq(der.integer(0), id_, scepmsg.algorithm(scepmsg.RSA),
                   der.octets(cert.public_key().encrypt(key, padding.PKCS1v15())))


def sealed(data, cipher):
    """AlgorithmIdentifier, ciphertext, key."""
    dotted, kind, key_bytes, block = scepmsg.CIPHERS[cipher]
    key, iv = os.urandom(key_bytes), os.urandom(block)
    fill = block - len(data) % block
    worker = scepmsg.Cipher(kind(key), scepmsg.modes.CBC(iv)).encryptor()
    text = worker.update(data + bytes([fill]) * fill) + worker.finalize()
    return scepmsg.algorithm(dotted, der.octets(iv)), text, key


def bouncy_envelope(data, cert, cipher):
    """EnvelopedData as BouncyCastle streams it: indefinite all the way, the content in segments."""
    how, text, key = sealed(data, cipher)
    content = indefinite(0x30, der.oid(scepmsg.DATA), how, segments(0xA0, text))
    body = indefinite(0x30, der.integer(0), der.set_of(recipient(cert, key)), content)
    return indefinite(0x30, der.oid(scepmsg.ENVELOPED), indefinite(0xA0, body))


def respelled_envelope(data, cert):
    how, text, key = sealed(data, "aes128")
    infos = der.set_of(recipient(cert, key, respelled(cert.issuer.public_bytes())))
    content = der.seq(der.oid(scepmsg.DATA), how, der.context(0, text, constructed=False))
    return der.seq(der.oid(scepmsg.ENVELOPED), der.context(0, der.seq(der.integer(0), infos, content)))


@dataclass
class Written(scepmsg.Message):
    """A message whose outside can be written otherwise, too."""

    signature_oid: str = scepmsg.RSA
    digest_parameters: bytes = der.null()
    ber: bool = False               # ContentInfo, SignedData and eContent as BouncyCastle writes them
    signed_sorted: bool = False     # with sort=False: the signature is that of the sorted set
    when: object = None             # signingTime

    def _attributes(self, content):
        kept = super()._attributes(content)
        if not self.when:
            return kept
        time = scepmsg.attribute(scepmsg.SIGNING_TIME, der.utc_time(self.when))
        return [time if k.startswith(time[:13]) else k for k in kept]

    def der(self):
        content = self.content or scepmsg.envelope(self.data, self.recipients, self.cipher, self.oaep)
        attributes = self._attributes(content)
        sent = der.set_of(*attributes) if self.sort else der.set_as_given(*reversed(attributes))
        kind = scepmsg.DIGESTS[self.digest]
        digest = der.seq(der.oid(kind[0]), self.digest_parameters)
        signature = self.key.sign(der.set_of(*attributes) if self.signed_sorted else sent, padding.PKCS1v15(), kind[1]())
        signer = der.seq(der.integer(1), scepmsg.issuer_and_serial(self.cert), digest, b"\xa0" + sent[1:],
                         scepmsg.algorithm(self.signature_oid), der.octets(signature))
        embedded = b"".join(map(scepmsg.cert_der, [self.cert] if self.embed is None else self.embed))
        if self.ber:
            inner = indefinite(0x30, der.oid(scepmsg.DATA), indefinite(0xA0, segments(0x24, content)))
            body = indefinite(0x30, der.integer(1), der.set_of(digest), inner, indefinite(0xA0, embedded),
                              der.set_of(signer))
            return indefinite(0x30, der.oid(scepmsg.SIGNED), indefinite(0xA0, body))
        inner = der.seq(der.oid(scepmsg.DATA), der.context(0, der.octets(content)))
        body = der.seq(der.integer(1), der.set_of(digest), inner, der.context(0, embedded), der.set_of(signer))
        return der.seq(der.oid(scepmsg.SIGNED), der.context(0, body))


def written(server, device, data=None, **more):
    device.cert = more.pop("cert", None) or device.cert or scepmsg.self_signed(device.key, device.name)
    values = {"key": device.key, "cert": device.cert, "recipients": [server.ra_cert()],
              "data": server.request_for(device) if data is None else data, **more}
    return Written(**values)


def read(server, message, answer):
    """A SUCCESS that mirrors the request."""
    assert (answer.status, answer.kind) == (200, PKI_MESSAGE), answer
    reply = scepmsg.read_reply(answer.body, message.key, message.cert, server.ca_certs_once())
    assert reply.status == 0, reply.text
    assert reply.recipient_nonce == message.nonce and len(reply.sender_nonce) == 16
    assert reply.sender_nonce != message.nonce
    return reply


def mirrored(reply, message):
    return (reply.transaction, reply.cipher, reply.digest) == (message.transaction, message.cipher, message.digest)


def plain_http(server, head, body=b""):
    """An HTTP exchange with exactly these header fields; the answer's status, header fields and body."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as s:
        s.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        data = b""
        while piece := s.recv(65536):
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    kind = [line[14:].decode() for line in head.split(b"\r\n") if line.lower().startswith(b"content-type: ")]
    return type("Answer", (), {"status": int(head.split()[1]), "kind": kind[0], "body": body})


# --- Each client ----------------------------------------------------------------


def test_sscep(server, device):
    """POST by HTTP/1.0 of no type, without User-Agent; the MD5 of the key as transactionID; AES-256."""
    message = written(server, device, cipher="aes256", transaction="5A105E8B9D40E1329780D62EA2265D8A")
    body = message.der()
    for _ in range(2):
        answer = plain_http(server, f"POST /scep/device/cgi-bin/pkiclient.exe?operation=PKIOperation HTTP/1.0\n"
                                    f"Content-Length: {len(body)}", body)
        assert mirrored(read(server, message, answer), message)
    assert len(server.certificates(device=device.name)) == 1
    for query in ["operation=GetCACert&message=CAIdentifier", "operation=GetCACaps&message=CAIdentifier"]:
        assert plain_http(server, f"GET /scep/device/cgi-bin/pkiclient.exe?{query} HTTP/1.0").status == 200


def test_strongswan(server, device):
    """sha256WithRSA as the signature's algorithm, the key's hash as transactionID, no type, no User-Agent."""
    message = written(server, device, signature_oid=PKCS1 + "11", transaction=os.urandom(20).hex().upper())
    assert mirrored(read(server, message, server.post(message.der(), kind=None)), message)


def test_jscep(server, device):
    """BER of BouncyCastle inside and outside, CMSAlgorithmProtection, sha512WithRSA, octet-stream, Java's Accept."""
    protection = scepmsg.attribute("1.2.840.113549.1.9.52", der.seq(
        scepmsg.algorithm(scepmsg.DIGESTS["sha512"][0]), der.tlv(0xA1, der.oid(PKCS1 + "13"), der.null())))
    data = server.request_for(device, password=der.utf8(device.password))
    message = written(server, device, data, ber=True, digest="sha512", signature_oid=PKCS1 + "13", extra=[protection],
                      transaction=os.urandom(20).hex(),
                      content=bouncy_envelope(data, server.ra_cert(), "aes128"))
    answer = server.request("POST", "/scep/device?operation=PKIOperation", message.der(), {
        "Content-Type": "application/octet-stream", "Accept": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"})
    assert mirrored(read(server, message, answer), message)
    assert server.get("operation=GetCACaps&message=").status == 200
    assert server.get("operation=GetCACert&message=").status == 200


def test_jscep_renews_with_type_19(server, device):
    first = server.enrol(device).certs[0]
    old, device.key = device.key, scepmsg.new_key()
    data = server.request_for(device, password=None)
    message = written(server, device, data, key=old, cert=first, ber=True,
                      content=bouncy_envelope(data, server.ra_cert(), "aes128"))
    assert read(server, message, server.post(message.der())).certs[0] != first


def test_scepclient(server, device):
    """A signer with a name of its own, a transactionID in base64, and an odd type."""
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "scep-client"),
                      x509.NameAttribute(NameOID.COMMON_NAME, "SCEP SIGNER")])
    message = written(server, device, cert=scepmsg.self_signed(device.key, name), signature_oid=PKCS1 + "11",
                      transaction="T/+0JSjWxpx+A2hRMsa1pFCmtG8=")
    assert mirrored(read(server, message, server.post(message.der(), kind="application/octet-stream")), message)


def test_scepclient_of_old_writes_url_safe_base64(server, device):
    message = written(server, device)
    text = base64.urlsafe_b64encode(message.der()).decode()
    read(server, message, server.get("operation=PKIOperation&message=" + text))
    read(server, message, server.get("operation=PKIOperation&message=" + text.rstrip("=")))


def test_certmonger(server, device):
    """GET only, '+' and '/' escaped, AES-256, a transactionID of 77 digits, no User-Agent, "0" as identifier."""
    message = written(server, device, cipher="aes256", transaction="1" + "0123456789" * 7 + "654321")
    text = base64.b64encode(message.der()).decode().replace("+", "%2B").replace("/", "%2F")
    answer = plain_http(server, f"GET /scep/device?operation=PKIOperation&message={text} HTTP/1.1\n"
                                f"Host: 127.0.0.1:{server.port}\nAccept: */*\nConnection: close")
    assert mirrored(read(server, message, answer), message)
    for number in "01":
        assert server.get("operation=GetCACaps&message=" + number).status == 200
        assert server.get("operation=GetCACert&message=" + number).status == 200


def test_cisco_ios(server, device):
    """GET with a line break after 60 columns, and unstructuredName beside the request's other attributes."""
    unstructured = scepmsg.attribute("1.2.840.113549.1.9.2", der.ia5(device.username))
    data = server.request_for(device, attributes=[unstructured])
    message = written(server, device, data)
    text = base64.b64encode(message.der()).decode()
    lines = "%0A".join(urllib.parse.quote(text[i : i + 60], safe="") for i in range(0, len(text), 60)) + "%0A"
    read(server, message, server.request(
        "GET", "/scep/device/cgi-bin/pkiclient.exe?operation=PKIOperation&message=" + lines,
        headers={"User-Agent": "Cisco PKI"}))


def test_apple(server, device):
    """GET with nothing escaped but '='; challengePassword among the signed attributes, too."""
    outside = scepmsg.challenge(device.password)
    message = written(server, device, extra=[outside], signature_oid=PKCS1 + "11")
    text = base64.b64encode(message.der()).decode().replace("=", "%3D")
    read(server, message, server.get("operation=PKIOperation&message=" + text))
    words = set(server.get("operation=GetCACaps").body.decode().split())
    assert {"AES", "SHA-256", "SHA-512"} <= words, "without a SHA word and a cipher, iOS gives up"


def test_windows(server, device):
    """OAEP in and out; a signer of fixed name with a critical authority key identifier, signed with SHA-1."""
    when = datetime.datetime.utcnow()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "SCEP Protocol Certificate")])
    cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(device.key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(when).not_valid_after(
                when + datetime.timedelta(days=365))
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(device.key.public_key()), critical=True)
            .sign(device.key, hashes.SHA1()))
    message = written(server, device, cert=cert, oaep=True, cipher="aes256")
    answer = server.request("POST", "/scep/device/certsrv/mscep/mscep.dll/pkiclient.exe?operation=PKIOperation",
                            message.der(), {"Content-Type": PKI_MESSAGE})
    reply = read(server, message, answer)
    assert reply.oaep and mirrored(reply, message)


def test_mikrotik_and_juniper(server, device):
    """The one refuses a reply without a senderNonce, which read() asks for; the other one with a CA in it."""
    message = written(server, device)
    assert len(read(server, message, server.post(message.der())).certs) == 1


# --- Whoever it is --------------------------------------------------------------


def test_attributes_in_the_wrong_order_are_taken_whichever_order_was_signed(server):
    for i, signed_sorted in enumerate([False, True]):
        device = server.add_device(f"order-{i}")
        message = written(server, device, sort=False, signed_sorted=signed_sorted)
        read(server, message, server.post(message.der()))


def test_a_digest_without_parameters_and_a_signature_named_with_its_digest_are_taken(server):
    for digest, number in [("sha256", "11"), ("sha384", "12"), ("sha512", "13")]:
        device = server.add_device("named-" + digest)
        message = written(server, device, digest=digest, digest_parameters=b"", signature_oid=PKCS1 + number)
        assert mirrored(read(server, message, server.post(message.der())), message)


def test_no_signing_time_is_taken(server, device):
    message = written(server, device, drop=(scepmsg.SIGNING_TIME,))
    read(server, message, server.post(message.der()))


@pytest.mark.parametrize("when", [datetime.datetime(1970, 1, 1), datetime.datetime(2049, 12, 31, 23, 59, 59)])
def test_a_clock_that_is_wrong_does_not_refuse_a_request(server, when):
    """signingTime and the signer's own validity are both by the device's clock."""
    for days in (-20000, 5000):
        device = server.add_device(f"clock-{when.year}-{days + 20000}")
        cert = scepmsg.self_signed(device.key, device.name, start_days=days, end_days=days + 1)
        message = written(server, device, cert=cert, when=when)
        read(server, message, server.post(message.der()))


def test_the_recipients_name_may_be_spelled_otherwise(server, device):
    message = written(server, device)
    message.content = respelled_envelope(message.data, server.ra_cert())
    assert server.ra_cert().issuer.public_bytes() not in message.content
    read(server, message, server.post(message.der()))


def test_the_subject_may_be_spelled_otherwise(server, device):
    subject = respelled(scepmsg.name(device.subject))
    message = written(server, device, server.request_for(device, subject=subject))
    cert = read(server, message, server.post(message.der())).certs[0]
    assert f"CN={device.name}" in cert.subject.rfc4514_string(), "the certificate has our spelling"


def test_the_issuer_of_a_get_cert_may_be_spelled_otherwise(server, device):
    cert = server.enrol(device).certs[0]
    data = der.seq(respelled(cert.issuer.public_bytes()), der.integer(cert.serial_number))
    message = written(server, device, data, cert=cert, message_type=21)
    assert read(server, message, server.post(message.der())).certs == [cert]


@pytest.mark.parametrize("tag", [0x0C, 0x13, 0x14, 0x16, 0x1A, 0x1C, 0x1E])
def test_the_challenge_may_be_of_any_string_type(server, tag):
    device = server.add_device(f"challenge-type-{tag}")
    text = device.password.encode({0x1C: "utf-32-be", 0x1E: "utf-16-be"}.get(tag, "ascii"))
    message = written(server, device, server.request_for(device, password=der.tlv(tag, text)))
    read(server, message, server.post(message.der()))


@pytest.mark.parametrize("tail", ["", "/", "/pkiclient.exe", "/cgi-bin/pkiclient.exe", "/mscep.dll", "/a/b%20c/d.x"])
def test_any_tail_of_the_path_enrols(server, tail):
    device = server.add_device("tail-" + str(len(tail)))
    message = written(server, device)
    read(server, message, server.request("POST", f"/scep/device{tail}?operation=PKIOperation", message.der()))


@pytest.mark.parametrize("transaction", ["0", "SSCEP transactionId", "æ", "\x01\x7f", "' OR 1=1 --", "../../etc/passwd"])
def test_a_transaction_id_that_is_constant_or_odd_serves_many_devices(server, transaction):
    for i in range(2):
        device = server.add_device(f"same-{transaction.encode().hex()[:24]}-{i}")
        message = written(server, device, transaction=der.utf8(transaction))
        read(server, message, server.post(message.der()))


# --- What we emit -----------------------------------------------------------------


def test_every_kind_of_answer_has_its_exact_type_without_charset(server, device):
    message = written(server, device)
    wanted = {"GetCACaps": "text/plain", "GetCACert": "application/x-x509-ca-ra-cert",
              "GetCACert&message=root": "application/x-x509-ca-cert"}
    for operation, kind in wanted.items():
        assert server.get("operation=" + operation).kind == kind
    assert server.post(message.der()).kind == PKI_MESSAGE
    spoilt = written(server, device, server.request_for(device, password="wrong"))
    assert server.post(spoilt.der()).kind == PKI_MESSAGE


@pytest.mark.parametrize("success", [True, False])
def test_a_reply_is_strict_der_with_sorted_attributes_and_rsa_encryption(server, success):
    """read_reply() reads nothing but DER, proves the signature over the attributes in the order of a SET OF, and
    finds each once; here is what it does not ask for."""
    device = server.add_device(f"emitted-{success}".lower())
    data = server.request_for(device, password=device.password if success else "wrong")
    message = written(server, device, data, signature_oid=PKCS1 + "11")
    answer = server.post(message.der())
    reply = scepmsg.read_reply(answer.body, device.key, device.cert, server.ca_certs_once())
    assert (reply.status == 0) == success
    body = der.read(answer.body)[1][0]
    info = body[-1][0]
    assert info[-2].raw == scepmsg.algorithm(scepmsg.RSA), "rsaEncryption, with NULL"
    kinds = [a[0].oid() for a in info[3]]
    wanted = {scepmsg.CONTENT_TYPE, scepmsg.MESSAGE_DIGEST, scepmsg.SIGNING_TIME, scepmsg.TRANSACTION,
              scepmsg.MESSAGE_TYPE, scepmsg.PKI_STATUS, scepmsg.SENDER_NONCE, scepmsg.RECIPIENT_NONCE}
    assert set(kinds) == wanted | (set() if success else {scepmsg.FAIL_INFO, scepmsg.FAIL_INFO_TEXT})
    embedded = [n for n in body if n.tag == 0xA0]
    assert len(embedded) == 1 and len(embedded[0]) == 1, "the signer's certificate, and no issued one in clear"
    assert body[2][1][0].tag == 0x04, "one primitive OCTET STRING"


@pytest.mark.parametrize("reply, count", [("leaf", 1), ("ca", 2), ("chain", 3)])
def test_a_reply_has_the_certificates_that_the_path_says_in_their_order(new_server, reply, count):
    server = new_server("--depth", "3")
    server.set_in("path device", "reply", f'"{reply}"')
    server.set_in("path device", "root_in_chain", "false")
    server.start()
    certs = server.enrol(server.add_device("gw-1")).certs
    assert len(certs) == count
    for below, above in zip(certs, certs[1:]):
        assert below.issuer == above.subject
    assert all(c.issuer != c.subject for c in certs), "no root"
