# SPDX-License-Identifier: Apache-2.0
"""EC keys: a key that cannot decrypt gets its certificate under the challengePassword (RFC 8894 s3.1)."""

import re

import pytest
from cryptography import x509

import der
import fixtures
import scepmsg
from server import AGENT, openssl, run


@pytest.fixture
def ec_device(server, device):
    device.key = scepmsg.new_ec_key()
    return device


def renewal(server, device, password, **more):
    """Signed by the key of device.issued, for a new EC key."""
    old = device.key
    device.key = scepmsg.new_ec_key()
    return scepmsg.Message(key=old, cert=device.issued, recipients=[server.ra_cert()], message_type=17,
                           data=server.request_for(device, password=password, **more), password=password)


@pytest.mark.parametrize("curve, cipher, digest", [
    ("P-256", "aes128", "sha256"), ("P-256", "aes256", "sha512"), ("P-384", "aes256", "sha384"),
    ("P-384", "aes192", "sha256")])
def test_an_ec_key_gets_its_certificate_under_the_password(server, device, tmp_path, curve, cipher, digest):
    device.key = scepmsg.new_ec_key(curve)
    reply = server.enrol(device, cipher=cipher, digest=digest)
    assert (reply.status, reply.cipher, reply.digest) == (0, cipher, digest), reply.text
    assert reply.certs[0].public_key().public_numbers() == device.key.public_key().public_numbers()
    server.verify(reply.certs[0], tmp_path)
    assert server.device_state(device.name)["password"] == "burned"


def test_openssl_cms_opens_the_reply_with_the_password(server, ec_device, tmp_path):
    answer = server.post(server.message(ec_device).der())
    (tmp_path / "reply.der").write_bytes(answer.body)
    openssl("cms", "-verify", "-noverify", "-binary", "-inform", "DER", "-in", tmp_path / "reply.der",
            "-out", tmp_path / "envelope.der")
    openssl("cms", "-decrypt", "-inform", "DER", "-in", tmp_path / "envelope.der", "-pwri_password", ec_device.password,
            "-binary", "-out", tmp_path / "plain.der")
    assert scepmsg.certs_only((tmp_path / "plain.der").read_bytes())
    done = openssl("cms", "-decrypt", "-inform", "DER", "-in", tmp_path / "envelope.der", "-pwri_password", "wrong",
                   ok=False)
    assert done.returncode != 0


def test_the_whole_challenge_is_the_password_where_the_username_stands_in_it(server, ec_device):
    both = f"{ec_device.username}:{ec_device.password}"
    data = server.request_for(ec_device, password=both, san=[])
    reply = server.enrol(ec_device, data=data, password=both)
    assert reply.status == 0, reply.text


def test_without_a_password_nothing_is_issued_and_the_answer_says_why(server, ec_device):
    reply = server.enrol(ec_device, data=server.request_for(ec_device, password=None))
    assert (reply.status, reply.fail_info) == (2, 2) and "put a one-time password into it" in reply.text
    assert server.certificates(device=ec_device.name) == []
    assert server.enrol(ec_device).status == 0, "the password was not burned"


def test_a_wrong_password_is_refused_as_for_any_key(server, ec_device):
    right = ec_device.password
    ec_device.password = "wrong"
    assert server.enrol(ec_device).status == 2
    ec_device.password = right
    assert server.enrol(ec_device).status == 0


def test_a_repeated_request_gets_the_same_certificate(server, ec_device):
    message = server.message(ec_device)
    assert server.exchange(message).certs == server.exchange(message).certs
    assert len(server.certificates(device=ec_device.name)) == 1


def test_a_request_for_a_password_is_refused(server, ec_device):
    message = server.message(ec_device)
    info = der.tlv(0xA3, der.integer(0), scepmsg.algorithm(scepmsg.PWRI_KEK), der.octets(b"x" * 32))
    body = der.seq(der.integer(3), der.set_of(info), der.seq(
        der.oid(scepmsg.DATA), scepmsg.algorithm(scepmsg.CIPHERS["aes128"][0], der.octets(b"x" * 16)),
        der.context(0, b"x" * 32, constructed=False)))
    message.content = der.seq(der.oid(scepmsg.ENVELOPED), der.context(0, body))
    reply = server.exchange(message)
    assert (reply.status, reply.fail_info) == (2, 2) and "PasswordRecipientInfo" in reply.text
    assert server.enrol(ec_device).status == 0


def test_a_renewal_needs_a_right_password_to_be_delivered(server, ec_device, tmp_path):
    reply = server.enrol(ec_device)
    ec_device.issued = reply.certs[0]
    key = ec_device.key
    refused = server.exchange(renewal(server, ec_device, None))
    assert (refused.status, refused.fail_info) == (2, 2) and "also to renew" in refused.text
    ec_device.key = key
    assert server.exchange(renewal(server, ec_device, "wrong")).status == 2
    assert len(server.certificates(device=ec_device.name)) == 1
    ec_device.key = key
    renewed = server.exchange(renewal(server, ec_device, server.issue_password(ec_device.name)))
    assert renewed.status == 0, renewed.text
    assert renewed.certs[0].subject == ec_device.issued.subject
    server.verify(renewed.certs[0], tmp_path)


def test_a_get_cert_by_an_ec_key_is_refused(server, ec_device):
    issued = server.enrol(ec_device).certs[0]
    message = scepmsg.Message(key=ec_device.key, cert=issued, recipients=[server.ra_cert()], message_type=21,
                              data=scepmsg.issuer_and_serial(issued))
    assert server.exchange(message).status == 2


def test_the_template_says_whether_ec_keys_are_certified():
    with fixtures.running_server("--depth", "2", settings=[("template device", "keys", '{"rsa:2048-4096"}')]) as s:
        device = s.add_device("rsa-only", key=scepmsg.new_ec_key())
        reply = s.enrol(device)
        assert (reply.status, reply.fail_info) == (2, 2) and "key" in reply.text
        device.key, device.cert = scepmsg.new_key(), None
        assert s.enrol(device).status == 0, "the password was not burned"


# --- Where an operator decides -------------------------------------------------------


@pytest.fixture(scope="module")
def waiting_server():
    with fixtures.running_server("--depth", "2", settings=[("path device", "approval", '"operator"')]) as s:
        yield s


@pytest.fixture
def asked(waiting_server, request):
    """An EC device whose request waits."""
    device = waiting_server.add_device(request.node.name.removeprefix("test_")[:60].replace("_", "-"),
                                       key=scepmsg.new_ec_key())
    device.message = waiting_server.message(device)
    assert waiting_server.exchange(device.message).status == 3
    device.row, = [r for r in waiting_server.ask("enrolment", "list", "--pending") if r["device"] == device.name]
    return device


def poll(server, device):
    return server.exchange(server.poll_message(device, device.message.transaction, password=device.password))


def poll_until_issued(server, device):
    for _ in range(200):
        reply = poll(server, device)
        if reply.status != 3:
            return reply
    raise AssertionError("still pending")


def test_a_poll_gets_the_certificate_once_and_the_request_itself_again_and_again(waiting_server, asked):
    ledger = b"".join(p.read_bytes() for p in (waiting_server.directory / "registrar").glob("ledger.db*"))
    assert asked.password.encode() not in ledger, "it is kept sealed"
    assert poll(waiting_server, asked).status == 3
    waiting_server.muster("enrolment", "approve", asked.row["id"])
    first = poll_until_issued(waiting_server, asked)
    assert first.status == 0, first.text
    second = poll(waiting_server, asked)
    assert (second.status, second.fail_info) == (2, 2) and "send the request itself again" in second.text
    for _ in range(2):
        assert waiting_server.exchange(asked.message).certs == first.certs
    assert len(waiting_server.certificates(device=asked.name)) == 1


def test_a_rejected_ec_request_is_told_why(waiting_server, asked):
    waiting_server.muster("enrolment", "reject", asked.row["id"], "--reason", "not in the plan")
    assert "not in the plan" in poll(waiting_server, asked).text


def test_a_removed_ec_device_hears_nothing(waiting_server, asked):
    waiting_server.muster("device", "remove", asked.name)
    assert poll(waiting_server, asked).status == 2
    assert waiting_server.exchange(asked.message).status == 2
    assert waiting_server.certificates(device=asked.name) == []


# --- The agent ---------------------------------------------------------------------------


def agent_profile(server, name, tmp_path, *lines):
    path = tmp_path / f"{name}.profile"
    server.muster("device", "add", name, "--template", "device", "--profile-out", path)
    text = re.sub(r"(?m)^(KeyType|PollIntervalSeconds|PollDeadlineSeconds)\s*=.*\n", "", path.read_text())
    path.write_text(text + "".join(line + "\n" for line in lines))
    return path


def agent(path, tmp_path, ok=True):
    return run(AGENT, "enrol", "--profile", path, "--store", tmp_path / "store", ok=ok)


def installed(tmp_path):
    current, = (tmp_path / "store").rglob("current")
    return x509.load_pem_x509_certificate((current / "cert.pem").read_bytes())


@pytest.mark.parametrize("key_type, curve", [("EC", "secp256r1"), ("EC-P384", "secp384r1")])
def test_the_agent_makes_an_ec_key_and_opens_the_reply(server, tmp_path, key_type, curve):
    path = agent_profile(server, "agent-" + curve, tmp_path, f'KeyType = "{key_type}"')
    agent(path, tmp_path)
    assert installed(tmp_path).public_key().curve.name == curve


def test_the_agent_does_not_ask_with_an_ec_key_and_no_password(server, tmp_path):
    path = agent_profile(server, "agent-without", tmp_path, 'KeyType = "EC"')
    path.write_text(re.sub(r"(?m)^ChallengePassword.*\n", "", path.read_text()))
    before = len(server.events())
    done = agent(path, tmp_path, ok=False)
    assert done.returncode != 0 and "ChallengePassword" in done.stderr
    assert len(server.events()) == before


def test_the_agent_waits_with_an_ec_key_and_goes_on_when_it_is_run_again(waiting_server, tmp_path):
    path = agent_profile(waiting_server, "agent-waits", tmp_path, 'KeyType = "EC"', "PollIntervalSeconds = 1",
                         "PollDeadlineSeconds = 1")
    assert agent(path, tmp_path, ok=False).returncode != 0
    row, = [r for r in waiting_server.ask("enrolment", "list", "--pending") if r["device"] == "agent-waits"]
    waiting_server.muster("enrolment", "approve", row["id"])
    agent(path, tmp_path)
    assert installed(tmp_path).public_key().curve.name == "secp256r1"
    assert len(waiting_server.certificates(device="agent-waits")) == 1


def test_a_template_for_ec_keys_alone_says_so_in_the_profile(tmp_path):
    with fixtures.running_server("--depth", "2", settings=[("template device", "keys", '{"ec:P-384"}')]) as s:
        path = tmp_path / "p.profile"
        s.muster("device", "add", "ec-only", "--template", "device", "--profile-out", path)
        assert re.search(r'KeyType\s*=\s*"EC-P384"', path.read_text())
        agent(path, tmp_path)
