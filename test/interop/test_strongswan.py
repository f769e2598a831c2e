# SPDX-License-Identifier: Apache-2.0
"""strongSwan 5.9.8, from its Debian package: works with triple DES only, and with caps that name AES and DES3."""

import os
import subprocess

import pytest
from cryptography import x509

import scepmsg
from fixtures import running_server
from server import pem


@pytest.fixture(scope="module")
def server():
    with running_server(settings=[("path device", "allow_des3", "true")]) as s:
        yield s


def pki(*words, data=None):
    return subprocess.run(["pki", *map(str, words)], input=data, capture_output=True, timeout=60,
                          env={**os.environ, "LEAK_DETECTIVE_DISABLE": "1"})


def files(server, device, tmp_path):
    """The key and the authorities, as pki wants them: DER, one file each."""
    (tmp_path / "key.der").write_bytes(device.key.private_bytes(
        scepmsg.serialization.Encoding.DER, scepmsg.serialization.PrivateFormat.TraditionalOpenSSL,
        scepmsg.serialization.NoEncryption()))
    words = []
    for i, cert in enumerate(c for c in server.ca_certs() if c != server.ra_cert()):
        (tmp_path / f"ca{i}.der").write_bytes(scepmsg.cert_der(cert))
        words += ["--cacert", tmp_path / f"ca{i}.der"]
    (tmp_path / "ra.der").write_bytes(scepmsg.cert_der(server.ra_cert()))
    return [*words, "--cacert-enc", tmp_path / "ra.der", "--cacert-sig", tmp_path / "ra.der"]


def enrol(server, device, tmp_path, *more):
    return pki("--scep", "--url", f"{server.base}/scep/device", "--in", tmp_path / "key.der", "--dn", ", ".join(reversed(device.subject.split(","))),
               "--san", device.username, "--cipher", "des3", "--outform", "pem", *files(server, device, tmp_path), *more)


def test_strongswan_enrols(server, tmp_path):
    device = server.add_device("strongswan-1")
    done = enrol(server, device, tmp_path, "--password", device.password)
    assert done.returncode == 0 and b"BEGIN CERTIFICATE" in done.stdout, f"{done}\n{server.events()[-3:]}"
    cert = x509.load_pem_x509_certificate(done.stdout)
    assert cert.public_key().public_numbers() == device.key.public_key().public_numbers()
    server.verify(cert, tmp_path)


def test_strongswan_is_told_that_a_password_is_wrong(server, tmp_path):
    device = server.add_device("strongswan-2")
    done = enrol(server, device, tmp_path, "--password", "wrong")
    assert b"BEGIN CERTIFICATE" not in done.stdout
    assert server.certificates(device=device.name) == []


def test_strongswan_fetches_the_chain_and_reads_every_certificate(server, tmp_path):
    done = pki("--scepca", "--url", f"{server.base}/scep/device", "--caout", tmp_path / "got-ca.der",
               "--raout", tmp_path / "got-ra.der")
    assert done.returncode == 0, done
    for cert in server.ca_certs():
        (tmp_path / "one.pem").write_bytes(pem(cert))
        shown = pki("--print", "--in", tmp_path / "one.pem")
        assert shown.returncode == 0 and b"subject:" in shown.stdout, shown


def test_strongswan_verifies_what_was_issued(server, tmp_path):
    device = server.add_device("strongswan-3")
    cert = server.enrol(device).certs[0]
    (tmp_path / "leaf.pem").write_bytes(pem(cert))
    words = []
    for i, authority in enumerate(c for c in server.ca_certs() if c != server.ra_cert()):
        (tmp_path / f"a{i}.pem").write_bytes(pem(authority))
        words += ["--cacert", tmp_path / f"a{i}.pem"]
    done = pki("--verify", "--in", tmp_path / "leaf.pem", *words)
    assert done.returncode == 0, done
