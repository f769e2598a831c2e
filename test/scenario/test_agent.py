# SPDX-License-Identifier: Apache-2.0
"""muster-agent: a provisioning profile goes in, a proved certificate comes out, or a plain refusal."""

import json
import re

import pytest
from cryptography import x509

from server import AGENT, openssl, run


@pytest.fixture
def profile(server, request, tmp_path):
    """A fresh device's provisioning profile."""
    name = "agent-" + re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())[:44].strip("-")
    path = tmp_path / f"{name}.profile"
    server.muster("device", "add", name, "--template", "device", "--profile-out", path)
    return path


def enrol(profile, store, ok=True):
    return run(AGENT, "enrol", "--profile", profile, "--store", store, ok=ok)


def spoil(profile, key, value):
    text = profile.read_text()
    changed = re.sub(rf"(?m)^(\s*{key}\s*=\s*).*$", lambda m: m[1] + value, text)
    assert changed != text, f"no {key} in {text}"
    profile.write_text(changed)


def current(store):
    found = list(store.rglob("current"))
    assert len(found) == 1 and found[0].is_symlink(), found
    return found[0]


def test_the_agent_enrols_with_the_profile_as_it_is(server, profile, tmp_path):
    assert profile.stat().st_mode & 0o077 == 0
    enrol(profile, tmp_path / "store")
    files = {p.name: p for p in current(tmp_path / "store").iterdir()}
    assert {"key.pem", "cert.pem", "chain.pem", "ca.pem"} <= set(files)
    assert files["key.pem"].stat().st_mode & 0o077 == 0
    openssl("verify", "-x509_strict", "-CAfile", files["ca.pem"], "-untrusted", files["chain.pem"], files["cert.pem"])
    cert = x509.load_pem_x509_certificate(files["cert.pem"].read_bytes())
    public = openssl("pkey", "-in", files["key.pem"], "-pubout", "-outform", "DER").stdout
    assert public == openssl("x509", "-in", files["cert.pem"], "-pubkey", "-noout").stdout or \
        cert.public_key().public_bytes(x509.base.serialization.Encoding.DER,
                                       x509.base.serialization.PublicFormat.SubjectPublicKeyInfo) == public


def test_the_agent_prints_one_object_for_programs(profile, tmp_path):
    done = run(AGENT, "enrol", "--profile", profile, "--store", tmp_path / "store", "--json")
    assert isinstance(json.loads(done.stdout), dict)


def test_a_wrong_fingerprint_stops_the_agent_before_it_asks_for_anything(server, profile, tmp_path):
    spoil(profile, "CAFingerprint", '"' + "ab" * 32 + '"')
    before = len(server.events())
    done = enrol(profile, tmp_path / "store", ok=False)
    assert done.returncode == 4, done
    assert "ingerprint" in done.stderr
    assert not list((tmp_path / "store").rglob("cert.pem"))
    assert len(server.events()) == before


def test_a_wrong_password_is_refused_and_nothing_is_installed(profile, tmp_path):
    spoil(profile, "ChallengePassword", '"wrong-password"')
    done = enrol(profile, tmp_path / "store", ok=False)
    assert done.returncode == 3, done
    assert done.stderr.strip() and not list((tmp_path / "store").rglob("cert.pem"))


def test_a_password_does_not_serve_a_second_store(profile, tmp_path):
    enrol(profile, tmp_path / "first")
    done = enrol(profile, tmp_path / "second", ok=False)
    assert done.returncode == 3, done


def test_a_profile_that_others_may_read_is_refused(profile, tmp_path):
    profile.chmod(0o644)
    done = enrol(profile, tmp_path / "store", ok=False)
    assert done.returncode == 3, done


def test_a_mistake_in_the_profile_is_told_with_file_and_line(profile, tmp_path):
    profile.write_text(profile.read_text() + "Colour = blue\n")
    done = enrol(profile, tmp_path / "store", ok=False)
    assert done.returncode == 2 and re.search(rf"{profile.name}:\d+: ", done.stderr), done


def test_a_server_that_is_not_there_is_a_fault(profile, tmp_path):
    text = profile.read_text()
    profile.write_text(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:9", text))
    done = enrol(profile, tmp_path / "store", ok=False)
    assert done.returncode == 5 and "127.0.0.1:9" in done.stderr, done


@pytest.mark.parametrize("depth", ["1", "2", "4"])
def test_the_agent_verifies_hierarchies_of_any_depth(new_server, depth, tmp_path):
    server = new_server("--depth", depth).start()
    path = tmp_path / "deep.profile"
    server.muster("device", "add", "deep", "--template", "device", "--profile-out", path)
    enrol(path, tmp_path / "store")
    files = {p.name: p for p in current(tmp_path / "store").iterdir()}
    untrusted = ["-untrusted", files["chain.pem"]] if files["chain.pem"].stat().st_size else []
    openssl("verify", "-x509_strict", "-CAfile", files["ca.pem"], *untrusted, files["cert.pem"])


def test_no_password_shows_in_what_the_agent_prints(profile, tmp_path):
    password = re.search(r'ChallengePassword\s*=\s*"?([^"\n]+)', profile.read_text())[1]
    done = enrol(profile, tmp_path / "store")
    assert password not in done.stdout + done.stderr
