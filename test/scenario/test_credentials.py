# SPDX-License-Identifier: Apache-2.0
"""Usernames and one-time passwords: who may enrol, how often, and what the refused are told."""

import time
from concurrent.futures import ThreadPoolExecutor

import scepmsg


def refused(reply):
    return (reply.status, reply.fail_info) == (2, 2)


def try_password(server, device, password):
    return server.exchange(server.message(device, server.request_for(device, password=password)))


def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(server, device):
    wrong = try_password(server, device, "not-the-password")
    stranger = server.add_device("gone-stranger")
    stranger.name = stranger.username = "nobody-knows-me"
    unknown = server.enrol(stranger)
    assert refused(wrong) and refused(unknown)
    assert (wrong.text, wrong.digest) == (unknown.text, unknown.digest)


def test_a_wrong_password_leaves_the_right_one_good(server, device):
    assert refused(try_password(server, device, "wrong"))
    assert server.enrol(device).status == 0


def test_a_password_is_good_for_one_certificate(server, device):
    assert server.enrol(device).status == 0
    device.key, device.cert = scepmsg.new_key(), None
    assert refused(server.enrol(device))
    assert len(server.certificates(device=device.name)) == 1
    assert server.device_state(device.name)["password"] == "burned"


def test_a_new_password_gives_a_second_certificate(server, device):
    assert server.enrol(device).status == 0
    device.password = server.issue_password(device.name)
    device.key, device.cert = scepmsg.new_key(), None
    assert server.enrol(device).status == 0
    assert len(server.certificates(device=device.name)) == 2


def test_a_new_password_ends_the_earlier_one(server, device):
    old, device.password = device.password, server.issue_password(device.name)
    assert refused(try_password(server, device, old))
    assert server.enrol(device).status == 0


def test_ten_wrong_passwords_lock_the_user_and_a_new_one_unlocks(server, device):
    for i in range(10):
        assert refused(try_password(server, device, f"guess-{i}"))
    assert server.device_state(device.name)["state"] == "locked"
    assert refused(server.enrol(device)), "the right password does not help a locked user"
    assert server.certificates(device=device.name) == []
    device.password = server.issue_password(device.name)
    assert server.device_state(device.name)["state"] == "active"
    assert server.enrol(device).status == 0


def test_an_operator_unlocks_a_user_and_the_password_stays(server, device):
    assert server.muster("password", "unlock", device.name, ok=False).returncode != 0, "not locked yet"
    for i in range(10):
        assert refused(try_password(server, device, f"guess-{i}"))
    assert server.ask("password", "unlock", device.name)[0]["device"]["state"] == "active"
    assert len(server.events(kind="password-unlocked", device=device.name)) == 1
    assert server.enrol(device).status == 0


def test_nine_wrong_passwords_do_not_lock(server, device):
    for i in range(9):
        assert refused(try_password(server, device, f"guess-{i}"))
    assert server.enrol(device).status == 0


def test_an_expired_password_is_refused(server, device):
    device.password = server.issue_password(device.name, "--lifetime", "1s")
    time.sleep(2.1)
    assert refused(server.enrol(device))
    assert server.device_state(device.name)["password"] == "expired"


def test_a_missing_or_empty_password_is_refused(server, device):
    assert refused(try_password(server, device, None))
    assert refused(try_password(server, device, ""))
    assert server.enrol(device).status == 0


def test_the_password_of_one_does_not_serve_another(server, device):
    other = server.add_device("other-of-two")
    assert refused(try_password(server, device, other.password))
    assert server.enrol(other).status == 0


def test_a_username_with_the_names_of_another_device_is_refused(server, device):
    victim = server.add_device("victim")
    attempts = {
        "subject": server.request_for(device, subject=scepmsg.name(victim.subject)),
        "two names": server.request_for(device, san=[f"DNS:{device.username}", f"DNS:{victim.username}"]),
        "victim first": server.request_for(device, san=[f"DNS:{victim.username}", f"DNS:{device.username}"]),
        "two CNs": server.request_for(device, subject=scepmsg.name(f"CN={victim.name},{device.subject}")),
        "email": server.request_for(device, san=[f"DNS:{device.username}", f"email:{victim.name}@example.net"]),
        "URI": server.request_for(device, san=[f"DNS:{device.username}", "URI:urn:victim"]),
        "address": server.request_for(device, san=[f"DNS:{device.username}", "IP:c0000201"]),
    }
    for what, data in attempts.items():
        reply = server.exchange(server.message(device, data))
        assert refused(reply), f"{what}: {reply}"
    assert server.certificates(device=victim.name) == [] and server.certificates(device=device.name) == []


def test_a_refusal_for_names_does_not_burn_the_password(server, device):
    data = server.request_for(device, subject=scepmsg.name("CN=somebody-else"))
    assert refused(server.exchange(server.message(device, data)))
    assert server.enrol(device).status == 0


def test_a_removed_device_enrols_no_more(server, device):
    server.muster("device", "remove", device.name)
    assert refused(server.enrol(device))


def test_one_password_used_many_times_at_once_gives_one_certificate(server, device):
    messages = []
    for _ in range(12):
        device.key, device.cert = scepmsg.new_key(), None
        messages.append(server.message(device))
    with ThreadPoolExecutor(12) as pool:
        replies = list(pool.map(server.exchange, messages))
    assert sum(r.status == 0 for r in replies) == 1
    assert len(server.certificates(device=device.name)) == 1


def test_every_refusal_is_one_event_with_its_reason(server, device):
    before = len(server.events(kind="refused"))
    reasons = set()
    for password in ["wrong", None]:
        try_password(server, device, password)
        events = server.events(kind="refused")
        assert len(events) == before + 1
        before += 1
        reasons.add(events[-1]["text"])
    assert len(reasons) == 2 and all(reasons)


def test_generated_passwords_have_128_bits(server):
    passwords = {server.add_device(f"entropy-{i}").password for i in range(16)}
    assert len(passwords) == 16
    alphabet = len(set("".join(passwords)))
    assert all(len(p) * min(alphabet, 64).bit_length() >= 128 for p in passwords)


def test_a_chosen_password_works_once_too(server, device, tmp_path):
    chosen = tmp_path / "chosen"
    chosen.write_text("correct-horse-battery-staple\n")
    server.muster("password", "issue", device.name, "--chosen-from", chosen)
    device.password = "correct-horse-battery-staple"
    assert server.enrol(device).status == 0
    device.key, device.cert = scepmsg.new_key(), None
    assert refused(server.enrol(device))


def test_a_lasting_password_is_good_for_more_than_one_certificate_until_it_ends(server, device):
    device.password = server.issue_password(device.name, "--lasting", "--lifetime", "6s")
    first = server.message(device)
    issued = server.exchange(first).certs[0]
    device.key, device.cert = scepmsg.new_key(), None
    assert server.enrol(device).status == 0
    assert server.exchange(first).certs[0] == issued, "the same request, the same certificate"
    assert len(server.certificates(device=device.name)) == 2
    state = server.device_state(device.name)
    assert (state["password"], state["password_lasting"]) == ("ready", True)
    time.sleep(6.1)
    device.key, device.cert = scepmsg.new_key(), None
    assert refused(server.enrol(device))


def test_no_secret_stands_in_the_log_or_in_the_files(server):
    secrets = []
    for i in range(3):
        device = server.add_device(f"secret-{i}")
        secrets.append(device.password)
        if i < 2:
            assert server.enrol(device).status == 0
        try_password(server, device, secret := f"wrong-secret-{i}-{device.password[:6]}")
        secrets.append(secret)
    haystack = [server.log().encode()]
    haystack += [p.read_bytes() for p in server.directory.rglob("*") if p.is_file()]
    haystack.append(server.muster("--json", "event", "list").stdout.encode())
    for secret in secrets:
        assert not any(secret.encode() in data for data in haystack)
