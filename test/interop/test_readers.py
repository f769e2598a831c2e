# SPDX-License-Identifier: Apache-2.0
"""Readers that are not ours take everything we emit without complaint."""

from cryptography.hazmat.primitives.serialization import pkcs7

import scepmsg
from server import openssl, pem


def test_python_cryptography_reads_the_chain(server):
    body = server.get("operation=GetCACert").body
    certs = pkcs7.load_der_pkcs7_certificates(body)
    assert sorted(map(scepmsg.cert_der, certs)) == sorted(map(scepmsg.cert_der, server.ca_certs()))


def test_openssl_pkcs7_reads_the_chain(server):
    out = openssl("pkcs7", "-inform", "DER", "-print_certs", "-noout", data=server.get("operation=GetCACert").body)
    assert out.stdout.count(b"subject=") == len(server.ca_certs()) and not out.stderr


def test_openssl_cms_reads_a_failure(server, device, tmp_path):
    message = server.message(device, server.request_for(device, password="wrong"))
    (tmp_path / "reply").write_bytes(server.post(message.der()).body)
    (tmp_path / "ca.pem").write_bytes(b"".join(map(pem, server.ca_certs())))
    openssl("cms", "-verify", "-binary", "-inform", "DER", "-in", tmp_path / "reply", "-CAfile", tmp_path / "ca.pem",
            "-purpose", "any", "-out", tmp_path / "nothing")
    assert (tmp_path / "nothing").read_bytes() == b""


def test_openssl_x509_reads_every_certificate_in_strict_mode(server, device, tmp_path):
    for cert in [*server.ca_certs(), server.enrol(device).certs[0]]:
        server.verify(cert, tmp_path)
        out = openssl("x509", "-noout", "-text", data=pem(cert))
        assert not out.stderr and b"<INVALID" not in out.stdout
        again = openssl("x509", "-outform", "DER", data=pem(cert)).stdout
        assert again == scepmsg.cert_der(cert)


def test_openssl_asn1parse_finds_nothing_but_der(server, device):
    body = server.post(server.message(device).der()).body
    assert openssl("asn1parse", "-inform", "DER", data=body).returncode == 0
