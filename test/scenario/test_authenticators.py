# SPDX-License-Identifier: Apache-2.0
"""By what a request may show who sends it: what a path says, and nothing else."""

import re

import scepmsg
from server import MUSTERD, run


def refused(reply):
    return (reply.status, reply.fail_info) == (2, 2)


def renewal(server, device, issued, **more):
    """A request for a new key, signed with the certificate; without a password unless `more` says so."""
    old_key, device.key = device.key, scepmsg.new_key()
    more.setdefault("password", None)
    return scepmsg.Message(key=old_key, cert=issued, recipients=[server.ra_cert()],
                           data=server.request_for(device, **more), message_type=17)


def test_a_path_of_passwords_does_not_renew(new_server):
    server = new_server()
    server.set_in("path device", "authenticators", "{password}")
    server.start()
    device = server.add_device("once")
    issued = server.enrol(device).certs[0]
    reply = server.exchange(renewal(server, device, issued))
    assert refused(reply) and "this path does not take requests" in reply.text
    assert len(server.certificates(device=device.name)) == 1


def test_a_path_of_certificates_only_renews(new_server):
    server = new_server()
    server.start()
    device = server.add_device("renewer")
    issued = server.enrol(device).certs[0]
    server.stop()
    server.set_in("path device", "authenticators", "{certificate}")
    server.start()
    late = server.add_device("late")
    assert refused(server.enrol(late)), "a good password, on a path that takes none"
    assert server.device_state(late.name)["password"] == "ready"
    assert server.exchange(renewal(server, device, issued)).status == 0


def test_a_renewal_with_a_wrong_challenge_is_refused(server, device):
    issued = server.enrol(device).certs[0]
    assert refused(server.exchange(renewal(server, device, issued, password="not-the-password")))
    assert len(server.certificates(device=device.name)) == 1


def test_a_renewal_that_adds_a_name_is_refused(server, device):
    issued = server.enrol(device).certs[0]
    names = [f"DNS:{device.username}", "DNS:somebody-else.example.net"]
    assert refused(server.exchange(renewal(server, device, issued, san=names)))
    assert len(server.certificates(device=device.name)) == 1


SECRET = "a-secret-that-all-gateways-share"


def with_secret(new_server, secret=SECRET):
    server = new_server()
    server.set_in("path device", "authenticators", "{secret, password, certificate}")
    server.set_in("path device", "secret_file", '"device.secret"')
    file = server.directory / "device.secret"
    file.write_text(secret + "\n")
    file.chmod(0o600)
    return server


def test_the_secret_of_a_path_enrols_devices_that_exist_and_is_warned_about(new_server):
    server = with_secret(new_server)
    assert "WARNING" in run(MUSTERD, "check", server.directory).stdout
    server.start()
    assert "whoever knows the secret" in server.log() and SECRET not in server.log()
    one, two = server.add_device("shared-1"), server.add_device("shared-2")
    own = one.password
    one.password = two.password = SECRET
    first = server.enrol(one)
    assert first.status == 0 and server.enrol(two).status == 0
    assert server.device_state(one.name)["password"] == "ready", "the device's own password was not used"
    one.key, one.cert, one.password = scepmsg.new_key(), None, own
    assert server.enrol(one).status == 0
    stranger = server.add_device("leaves")
    stranger.name = stranger.username = "nobody-knows-me"
    stranger.password = SECRET
    assert refused(server.enrol(stranger))


def test_with_the_secret_nobody_gets_the_names_of_another(new_server):
    server = with_secret(new_server)
    server.start()
    one, victim = server.add_device("liar"), server.add_device("victim")
    for more in [{"subject": scepmsg.name(victim.subject)}, {"san": [f"DNS:{one.username}", f"DNS:{victim.username}"]}]:
        assert refused(server.exchange(server.message(one, server.request_for(one, password=SECRET, **more))))
    assert server.certificates() == []


def test_a_secret_that_others_may_read_is_no_start(new_server):
    server = with_secret(new_server)
    (server.directory / "device.secret").chmod(0o644)
    done = run(MUSTERD, "check", server.directory, ok=False)
    assert done.returncode != 0 and "chmod 600" in done.stderr


def test_an_unknown_authenticator_is_named_with_its_line(new_server):
    server = new_server()
    server.set_in("path device", "authenticators", "{password, guess}")
    done = run(MUSTERD, "check", server.directory, ok=False)
    assert done.returncode != 0 and re.search(r"musterd.conf:\d+: authenticators is \"guess\"", done.stderr)
