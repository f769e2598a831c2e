# SPDX-License-Identifier: Apache-2.0
"""musterd init: hierarchies of every depth and kind; what is wrong with a configuration is said with its line."""

import re

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from server import MUSTERD, is_ca, openssl, run

KINDS = ["rsa:2048", "rsa:4096", "ec:P-256", "ec:P-384"]


def kind_of(cert):
    key = cert.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"rsa:{key.key_size}"
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return {"secp256r1": "ec:P-256", "secp384r1": "ec:P-384"}[key.curve.name]


def authorities(server):
    return [c for c in server.ca_certs() if is_ca(c)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_a_hierarchy_of_any_depth_and_kind_issues_what_openssl_verifies(new_server, depth, kind, tmp_path):
    if kind == "rsa:4096" and depth != 2:
        kind = "rsa:3072"
    server = new_server("--depth", str(depth), "--ca-key", kind).start()
    chain = authorities(server)
    assert len(chain) == depth and {kind_of(c) for c in chain} == {kind}
    for level, cert in enumerate(chain):
        constraints = cert.extensions.get_extension_for_class(x509.BasicConstraints)
        usage = cert.extensions.get_extension_for_class(x509.KeyUsage)
        assert constraints.critical and usage.critical and usage.value.key_cert_sign and usage.value.crl_sign
        if cert.issuer != cert.subject:
            assert constraints.value.path_length == level
            assert cert.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
        assert cert.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        assert 0 < cert.serial_number < 1 << 159
    assert kind_of(server.ra_cert()).startswith("rsa:")
    reply = server.enrol(server.add_device("first"))
    assert reply.status == 0, reply.text
    server.verify(reply.certs[0], tmp_path)
    server.verify(server.ra_cert(), tmp_path)


def test_names_outside_of_the_name_constraints_are_refused_before_anything_is_signed(new_server, tmp_path):
    server = new_server("--permit-dns", "example.net").start()
    outside = server.muster("device", "add", "gw.example.org", "--template", "device", ok=False)
    assert outside.returncode == 2 and "permitted subtree" in outside.stderr
    reply = server.enrol(server.add_device("gw.example.net"))
    assert reply.status == 0, reply.text
    server.verify(reply.certs[0], tmp_path)


def test_keys_are_readable_by_their_owner_only(new_server):
    server = new_server()
    keys = [p for p in server.directory.rglob("*") if p.is_file() and b"PRIVATE KEY" in p.read_bytes()]
    assert len(keys) >= 4
    assert all(p.stat().st_mode & 0o077 == 0 for p in keys)


def test_the_root_key_can_be_taken_away(new_server, tmp_path):
    server = new_server("--depth", "3")
    root = next(p for p in server.directory.rglob("*") if p.is_file() and "root" in str(p.relative_to(server.directory))
                and b"PRIVATE KEY" in p.read_bytes())
    root.rename(tmp_path / "root-key-in-the-safe.pem")
    server.start()
    reply = server.enrol(server.add_device("rootless"))
    assert reply.status == 0, reply.text


def test_init_leaves_an_existing_installation_alone(new_server):
    server = new_server()
    before = {p: p.read_bytes() for p in server.directory.rglob("*") if p.is_file()}
    done = run(MUSTERD, "init", server.directory, ok=False)
    assert done.returncode not in (0, 1) and done.stderr.strip()
    assert before == {p: p.read_bytes() for p in server.directory.rglob("*") if p.is_file()}


@pytest.mark.parametrize("words", [["--depth", "0"], ["--depth", "5"], ["--depth", "two"], ["--ca-key", "rsa:1024"],
                                   ["--ca-key", "ec:P-521"], ["--ca-key", "dsa:2048"], ["--ra-key", "ec:P-256"],
                                   ["--ra", "three"], ["--listen", "nowhere"], ["--what"]])
def test_init_refuses_what_it_cannot_do(tmp_path, words):
    done = run(MUSTERD, "init", tmp_path / "pki", *words, ok=False)
    assert done.returncode in (1, 2, 3) and done.stderr.strip()
    assert not (tmp_path / "pki" / "musterd.conf").exists()


@pytest.mark.parametrize("depth", ["1", "2", "3", "4"])
def test_a_fresh_configuration_passes_the_check(new_server, depth):
    assert run(MUSTERD, "check", new_server("--depth", depth).directory).returncode == 0


MISTAKES = [
    ("unknown key", lambda t: "colour = \"blue\"\n" + t, 1),
    ("number is a word", lambda t: "password_tries = many\n" + t, 1),
    ("number out of range", lambda t: "password_tries = 0\n" + t, 1),
    ("unknown section", lambda t: "planet mars {\n}\n" + t, 1),
    ("word for a switch", lambda t: t.replace("path device {", "path device {\n    allow_des3 = perhaps"), None),
    ("authority that is not there", lambda t: re.sub(r"(path device \{[^}]*authority = )\S+", r"\1nowhere", t), None),
    ("template that is not there", lambda t: re.sub(r"(path device \{[^}]*templates = )\S+", r"\1{nowhere}", t), None),
    ("brace left open", lambda t: t.rstrip()[:-1], None),
]


@pytest.mark.parametrize("name, spoil, line", MISTAKES, ids=[m[0].replace(" ", "-") for m in MISTAKES])
def test_a_mistake_in_the_configuration_is_told_with_file_and_line(new_server, name, spoil, line):
    server = new_server("--depth", "1")
    server.config_path.write_text(spoil(server.config_path.read_text()))
    for command in ["check", "run"]:
        done = run(MUSTERD, command, server.directory, ok=False)
        assert done.returncode == 2, (command, done)
        told = re.search(r"musterd\.conf:(?: section .* line )?(\d+): \S+", done.stderr)
        assert told, done.stderr
        assert line is None or int(told[1]) == line, done.stderr


def test_a_missing_key_file_is_told_by_its_name(new_server):
    server = new_server("--depth", "1")
    ra_key = next(p for p in server.directory.rglob("*") if p.is_file() and "/ra" in str(p)
                  and b"PRIVATE KEY" in p.read_bytes())
    ra_key.unlink()
    done = run(MUSTERD, "check", server.directory, ok=False)
    assert done.returncode != 0 and ra_key.name in done.stderr


def test_the_certificates_are_to_rfc_5280_for_openssl(new_server):
    server = new_server("--depth", "4").start()
    for cert in server.ca_certs():
        text = openssl("x509", "-inform", "DER", "-noout", "-text", data=cert.public_bytes(
            serialization.Encoding.DER)).stdout
        assert b"Unable to load" not in text and b"<INVALID" not in text
