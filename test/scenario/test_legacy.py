# SPDX-License-Identifier: Apache-2.0
"""Single DES, MD5, 3DES and SHA-1: off unless a path allows them, and every use is an event and is counted."""

import pytest

import scepmsg
from fixtures import running_server
from server import MUSTERD, Server, run


@pytest.fixture(scope="module")
def old_server():
    allowed = [("path device", key, "true") for key in ["allow_des", "allow_des3", "allow_md5", "allow_sha1"]]
    with running_server("--depth", "1", settings=allowed) as s:
        yield s


COUNTERS = {"des": "DES", "des3": "3DES", "md5": "MD5", "sha1": "SHA-1"}


@pytest.mark.parametrize("cipher, digest", [("des", "md5"), ("des", "sha1"), ("des3", "md5"), ("des", "sha256"),
                                            ("aes128", "md5"), ("aes128", "sha1")])
def test_an_old_algorithm_is_answered_in_kind_recorded_and_counted(old_server, cipher, digest):
    server = old_server
    device = server.add_device(f"old-{cipher}-{digest}")
    before = server.ask("status")[0]["legacy"]
    reply = server.enrol(device, cipher=cipher, digest=digest)
    assert (reply.status, reply.cipher, reply.digest) == (0, cipher, digest), reply.text
    used = {COUNTERS[name] for name in (cipher, digest) if name in COUNTERS}
    event, = server.events(kind="legacy", device=device.name)
    assert event["path"] == "device" and ", ".join(u for u in COUNTERS.values() if u in used) + "," in event["text"]
    after = server.ask("status")[0]["legacy"]
    assert {name for name in after if after[name] == before[name] + 1} == used
    assert {name for name in after if after[name] == before[name]} == set(COUNTERS.values()) - used


def test_what_is_not_old_is_no_such_event(old_server):
    device = old_server.add_device("modern")
    assert old_server.enrol(device).status == 0
    assert old_server.events(kind="legacy", device=device.name) == []


def test_cisco_ios_of_old(old_server):
    """MD5 and single DES, by GET."""
    device = old_server.add_device("ios-12")
    message = old_server.message(device, cipher="des", digest="md5")
    answer = old_server.get_message(message.der())
    reply = scepmsg.read_reply(answer.body, device.key, device.cert, old_server.ca_certs())
    assert (reply.status, reply.cipher, reply.digest) == (0, "des", "md5")


def test_scepclient_of_micromdm(old_server):
    """Always single DES and SHA-1."""
    reply = old_server.enrol(old_server.add_device("go"), cipher="des", digest="sha1",
                             transaction="T/+0JSjWxpx+A2hRMsa1pFCmtG8=")
    assert (reply.status, reply.cipher, reply.digest) == (0, "des", "sha1")


@pytest.mark.parametrize("cipher, digest", [("des", "sha256"), ("aes128", "md5"), ("des3", "sha256"), ("aes128", "sha1")])
def test_none_of_them_is_taken_by_default(server, cipher, digest):
    device = server.add_device(f"never-{cipher}-{digest}")
    reply = server.enrol(device, cipher=cipher, digest=digest)
    assert (reply.status, reply.fail_info) == (2, 0)
    assert server.certificates(device=device.name) == [] and server.events(kind="legacy") == []


@pytest.mark.parametrize("key, cipher, digest", [("allow_des3", "des", "sha256"), ("allow_sha1", "aes128", "md5")])
def test_a_weaker_one_is_not_taken_with_a_stronger_one(new_server, key, cipher, digest):
    server = new_server("--depth", "1")
    server.set_in("path device", key, "true")
    server.start()
    assert server.enrol(server.add_device("gw-1"), cipher=cipher, digest=digest).fail_info == 0


def test_musterd_warns_of_paths_that_allow_what_scep_forbids(old_server):
    said = run(MUSTERD, "check", old_server.directory).stderr
    for text in (said, old_server.log()):
        assert "path device takes single DES and MD5" in text
