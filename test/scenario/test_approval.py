# SPDX-License-Identifier: Apache-2.0
"""Requests that wait for an operator (RFC 8894 s3.3.2.3, s3.3.3, s4.4): PENDING, CertPoll, and his decision."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

import der
import fixtures
import scepmsg
from server import AGENT, run


@pytest.fixture(scope="module")
def server():
    """As the other files' server, on whose path an operator decides about every request."""
    with fixtures.running_server("--depth", "2", settings=[("path device", "approval", '"operator"')]) as s:
        yield s


def poll(server, device, transaction, **more):
    return server.exchange(server.poll_message(device, transaction, **more))


def waiting(server, device):
    return [r for r in server.ask("enrolment", "list", "--pending") if r["device"] == device.name]


@pytest.fixture
def asked(server, device):
    """A device whose request waits: device.transaction, device.message, device.enrolment."""
    device.message = server.message(device)
    device.transaction = device.message.transaction
    reply = server.exchange(device.message)
    assert reply.status == 3 and reply.fail_info is None and reply.certs == []
    device.enrolment, = waiting(server, device)
    return device


def test_a_request_waits_and_nothing_is_issued(server, asked):
    row = asked.enrolment
    assert row["state"] == "pending" and row["transaction"] == asked.transaction and row["expires_s"] > row["asked_s"]
    assert poll(server, asked, asked.transaction).status == 3
    assert server.exchange(asked.message).status == 3, "the same request again is answered as a poll"
    assert server.certificates(device=asked.name) == []
    assert server.device_state(asked.name)["password"] == "reserved"
    assert server.ask("status")[0]["pending"] >= 1
    assert "pending" in [e["kind"] for e in server.events(device=asked.name)]


def test_an_approved_request_is_issued_at_once_and_delivered_to_who_asks(server, asked, tmp_path):
    done = server.muster("enrolment", "approve", asked.enrolment["id"])
    assert "approved" in done.stdout
    end = time.monotonic() + 10
    while not server.certificates(device=asked.name):
        assert time.monotonic() < end, "the signer gets it when it is approved, not when somebody polls"
        time.sleep(0.02)
    first = poll(server, asked, asked.transaction)
    assert first.status == 0, first.text
    assert poll(server, asked, asked.transaction).certs == first.certs
    assert server.exchange(asked.message).certs == first.certs
    server.verify(first.certs[0], tmp_path)
    assert len(server.certificates(device=asked.name)) == 1
    event, = server.events(kind="approved", device=asked.name)
    assert f"by uid {os.getuid()}" in event["text"]
    row, = server.ask("enrolment", "show", asked.enrolment["id"])
    assert row["state"] == "issued" and row["decided_by"] == f"uid {os.getuid()}"


def test_a_rejected_request_is_refused_with_the_reason_and_its_password_is_burned(server, asked):
    server.muster("enrolment", "reject", asked.enrolment["id"], "--reason", "not in the plan")
    for reply in [poll(server, asked, asked.transaction), server.exchange(asked.message)]:
        assert (reply.status, reply.fail_info) == (2, 2) and "not in the plan" in reply.text
    assert server.device_state(asked.name)["password"] == "burned"
    assert server.enrol(asked).status == 2, "another transaction with the same password"
    asked.password = server.issue_password(asked.name)
    assert server.enrol(asked).status == 3, "a new password may ask anew"
    event, = server.events(kind="rejected", device=asked.name)
    assert "not in the plan" in event["text"]


def test_a_decision_is_made_once_and_needs_a_reason_to_reject(server, asked):
    number = asked.enrolment["id"]
    assert server.muster("enrolment", "reject", number, ok=False).returncode == 2
    assert server.muster("enrolment", "approve", "0", ok=False).returncode == 2
    assert server.muster("enrolment", "approve", "x", ok=False).returncode == 2
    assert server.muster("enrolment", "show", "999999", ok=False).returncode == 2
    server.muster("enrolment", "approve", number)
    assert server.muster("enrolment", "approve", number, ok=False).returncode == 3
    assert server.muster("enrolment", "reject", number, "--reason", "late", ok=False).returncode == 3


def test_a_poll_by_another_key_hears_the_same_as_a_poll_for_nothing(server, asked):
    thief = server.add_device("thief-" + asked.name[-12:])
    thief.cert = scepmsg.self_signed(thief.key, asked.name)
    nothing = poll(server, thief, "no such transaction")
    assert (nothing.status, nothing.fail_info) == (2, 4)
    server.muster("enrolment", "approve", asked.enrolment["id"])
    assert poll(server, asked, asked.transaction).status == 0
    stolen = poll(server, thief, asked.transaction)
    assert (stolen.status, stolen.fail_info, stolen.text) == (2, 4, nothing.text)
    twin = scepmsg.Message(key=thief.key, cert=asked.cert, recipients=[server.ra_cert()], message_type=20,
                           data=server.poll_message(asked, asked.transaction).data, transaction=asked.transaction)
    assert server.exchange(twin, asked.key, asked.cert).fail_info == 1, "the certificate of one, the key of another"


def test_issuer_and_subject_of_a_poll_do_not_matter(server, asked):
    for names in [{"issuer": c.subject.public_bytes()} for c in server.ca_certs()] + [
            {"issuer": c.issuer.public_bytes()} for c in server.ca_certs()] + [
            {"issuer": der.seq()}, {"issuer": scepmsg.name("CN=Somebody")}, {"subject": der.seq()}]:
        assert poll(server, asked, asked.transaction, **names).status == 3


MISSHAPEN = {
    "empty": der.seq(),
    "text": b"poll",
    "one-name": der.seq(der.seq()),
    "three-names": der.seq(der.seq(), der.seq(), der.seq()),
    "serial": der.seq(der.seq(), der.integer(5)),
    "set": der.set_as_given(der.seq(), der.seq()),
    "behind": der.seq(der.seq(), der.seq()) + b"\0",
    "truncated": der.seq(der.seq(), der.seq())[:-1],
    "huge": der.seq(der.seq(der.octets(bytes(40000))), der.seq())[:-1],
}


@pytest.mark.parametrize("name", MISSHAPEN)
def test_a_poll_of_another_form_is_bad_message_check(server, asked, name):
    reply = poll(server, asked, asked.transaction, data=MISSHAPEN[name])
    assert (reply.status, reply.fail_info) == (2, 1), reply


def test_a_poll_with_a_transaction_id_of_no_or_many_bytes_is_no_message(server, asked):
    for transaction in [der.printable(""), der.printable("a" * 1025), der.printable("a" * (1 << 20))]:
        assert server.post(server.poll_message(asked, transaction).der()).status in (400, 413)


def test_a_wrong_password_does_not_come_to_wait(server, device):
    data = server.request_for(device, password="wrong")
    assert server.exchange(server.message(device, data)).status == 2
    assert waiting(server, device) == []


def test_a_renewal_waits_too_and_the_old_key_polls(server, asked):
    server.muster("enrolment", "approve", asked.enrolment["id"])
    issued = poll(server, asked, asked.transaction).certs[0]
    old_key, asked.key = asked.key, scepmsg.new_key()
    renewal = scepmsg.Message(key=old_key, cert=issued, recipients=[server.ra_cert()],
                              data=server.request_for(asked, password=None), message_type=17)
    assert server.exchange(renewal).status == 3
    row, = waiting(server, asked)
    assert row["renewal"] is True
    new = scepmsg.self_signed(asked.key, asked.name)
    assert poll(server, asked, renewal.transaction, key=asked.key, cert=new).fail_info == 4, "not the key that signed"
    server.muster("enrolment", "approve", row["id"])
    reply = poll(server, asked, renewal.transaction, key=old_key, cert=issued)
    assert reply.status == 0 and reply.certs[0] != issued


def is_alive(pid):
    """A process that was killed and not yet waited for has no command line any more."""
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def test_what_waits_survives_the_end_of_every_process(new_server):
    server = new_server("--depth", "1")
    server.set_in("template device", "approval", '"operator"')
    server.start()
    device = server.add_device("patient")
    message = server.message(device)
    assert server.exchange(message).status == 3

    def kill_all():
        """The supervisor first, so that it starts nobody again."""
        pids = [server.process.pid, *server.children()]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        server.process.wait(20)
        end = time.monotonic() + 20
        while any(is_alive(pid) for pid in pids):
            assert time.monotonic() < end
            time.sleep(0.01)
        server.start()

    kill_all()
    assert poll(server, device, message.transaction).status == 3
    row, = waiting(server, device)
    server.muster("enrolment", "approve", row["id"])
    kill_all()
    deadline = time.monotonic() + 20
    reply = poll(server, device, message.transaction)
    while reply.status == 3 and time.monotonic() < deadline:
        time.sleep(0.05)
        reply = poll(server, device, message.transaction)
    assert reply.status == 0, reply
    kill_all()
    assert poll(server, device, message.transaction).certs == reply.certs
    assert len(server.certificates(device="patient")) == 1


# --- The agent


@pytest.fixture
def profile(server, request, tmp_path):
    """A fresh device's provisioning profile, which asks every second for half a minute."""
    path = tmp_path / "agent.profile"
    name = "agent-" + re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_"))[:44].strip("-")
    server.muster("device", "add", name, "--template", "device", "--profile-out", path)
    return Profile(name, path)


class Profile:
    def __init__(self, name, path):
        self.name, self.path = name, path
        self.set("PollIntervalSeconds", 1)
        self.set("PollDeadlineSeconds", 30)

    def set(self, key, value):
        text = re.sub(rf"(?m)^.*{key}\s*=.*\n", "", self.path.read_text())
        self.path.write_text(f"{text}{key} = {value}\n")


def wait_for_request(server, profile):
    end = time.monotonic() + 20
    while not (rows := waiting(server, profile)):
        assert time.monotonic() < end
        time.sleep(0.05)
    return rows[0]


def agent(profile, tmp_path):
    return [AGENT, "enrol", "--profile", profile.path, "--store", tmp_path / "store"]


def test_the_agent_asks_until_it_is_approved(server, profile, tmp_path):
    with subprocess.Popen(agent(profile, tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        row = wait_for_request(server, profile)
        assert running.poll() is None
        server.muster("enrolment", "approve", row["id"])
        out, err = running.communicate(timeout=40)
    assert running.returncode == 0, err
    assert list((tmp_path / "store").rglob("cert.pem"))
    assert len(server.certificates(device=profile.name)) == 1


def test_an_agent_whose_deadline_has_passed_says_so_and_goes_on_when_it_is_run_again(server, profile, tmp_path):
    profile.set("PollDeadlineSeconds", 2)
    done = run(*agent(profile, tmp_path), ok=False)
    assert done.returncode == 6 and "run the same command again" in done.stderr, done
    row, = waiting(server, profile)
    assert row["transaction"] in done.stderr
    server.muster("enrolment", "approve", row["id"])
    profile.set("ChallengePassword", '"not needed any more"')
    run(*agent(profile, tmp_path))
    assert len(server.certificates(device=profile.name)) == 1


def test_an_agent_that_was_killed_goes_on_with_the_same_transaction(server, profile, tmp_path):
    with subprocess.Popen(agent(profile, tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        row = wait_for_request(server, profile)
        running.kill()
    server.muster("enrolment", "approve", row["id"])
    run(*agent(profile, tmp_path))
    assert [r["state"] for r in server.ask("enrolment", "list") if r["device"] == profile.name] == ["issued"]


def test_a_rejection_reaches_who_runs_the_agent(server, profile, tmp_path):
    profile.set("PollDeadlineSeconds", 0)
    assert run(*agent(profile, tmp_path), ok=False).returncode == 6
    server.muster("enrolment", "reject", waiting(server, profile)[0]["id"], "--reason", "wrong hall")
    done = run(*agent(profile, tmp_path), ok=False)
    assert done.returncode == 3 and "wrong hall" in done.stderr, done
    assert not list((tmp_path / "store").rglob("cert.pem"))
