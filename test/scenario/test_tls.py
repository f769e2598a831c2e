# SPDX-License-Identifier: Apache-2.0
"""The same paths over TLS: versions, names, client certificates, certificates that change while the server runs."""

import contextlib
import datetime
import http.client
import ipaddress
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fixtures import running_server, server_maker
from server import AGENT, MUSTERD, PKI_MESSAGE, Server, free_port, openssl, pem, run, scepmsg

UTC = datetime.timezone.utc


# --- certificates of others

def name_of(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Party:
    """A key and its certificate, self-signed without an issuer; life in seconds from now: (begin, end)."""

    def __init__(self, name, issuer=None, life=(-60, 3600), alternative=None, usage=None):
        now = datetime.datetime.now(UTC)
        self.key = ec.generate_private_key(ec.SECP256R1())
        builder = (x509.CertificateBuilder().subject_name(name_of(name)).public_key(self.key.public_key())
                   .issuer_name(issuer.cert.subject if issuer else name_of(name))
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(now + datetime.timedelta(seconds=life[0]))
                   .not_valid_after(now + datetime.timedelta(seconds=life[1]))
                   .add_extension(x509.BasicConstraints(issuer is None, None), True))
        if alternative:
            builder = builder.add_extension(x509.SubjectAlternativeName([alternative]), False)
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), False)
        self.cert = builder.sign((issuer or self).key, hashes.SHA256())

    def key_pem(self):
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption())

    def write(self, directory, name):
        directory.mkdir(exist_ok=True)
        (directory / f"{name}-cert.pem").write_bytes(pem(self.cert))
        key = directory / f"{name}-key.pem"
        key.touch(0o600)
        key.write_bytes(self.key_pem())


# --- a server with TLS

class TlsServer(Server):
    def __init__(self, directory, *init):
        self.tls_port = free_port()
        super().__init__(directory, "--tls", "127.0.0.1", "--listen-tls", f"127.0.0.1:{self.tls_port}", *init)

    def start(self):
        super().start()
        end = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError):
                return self.shake() and self
            assert time.monotonic() < end, self.log()
            time.sleep(0.02)

    def replace_tls(self, *sections):
        """Other tls sections than init wrote."""
        text = self.config_path.read_text()
        self.config_path.write_text(text[: text.index("tls default {")] + "\n".join(sections) + "\n")

    def connect(self, name=None, client=None, **context):
        """A TLS connection that believes everybody, since what is shown is looked at afterwards."""
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        c.check_hostname = False
        c.verify_mode = ssl.CERT_NONE
        for key, value in context.items():
            setattr(c, key, value)
        if client:
            c.load_cert_chain(*client)
        raw = socket.create_connection(("127.0.0.1", self.tls_port), timeout=10)
        try:
            return c.wrap_socket(raw, server_hostname=name)
        except BaseException:
            raw.close()
            raise

    def shake(self, **more):
        with self.connect(**more) as s:
            return x509.load_der_x509_certificate(s.getpeercert(True))

    def ask_by_tls(self, target="/scep/device?operation=GetCACaps", body=None, **more):
        link = http.client.HTTPConnection("127.0.0.1", self.tls_port, timeout=20)
        link.sock = self.connect(**more)
        with contextlib.closing(link):
            link.request("POST" if body else "GET", target, body, {"Content-Type": PKI_MESSAGE} if body else {})
            answer = link.getresponse()
            return answer.status, answer.read()


@pytest.fixture(scope="module")
def server():
    with running_server(kind=TlsServer) as s:
        yield s


@pytest.fixture
def new_server():
    with server_maker(TlsServer) as make:
        yield make


def roots(server):
    return server.directory / "authority" / "root" / "cert.pem"


def enrol_by_tls(server, device, **more):
    message = server.message(device)
    status, body = server.ask_by_tls("/scep/device?operation=PKIOperation", message.der(), **more)
    assert status == 200
    return scepmsg.read_reply(body, device.key, device.cert, server.ca_certs_once())


# --- versions

@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_device_enrols_over_tls(server, device, version):
    reply = enrol_by_tls(server, device, minimum_version=version, maximum_version=version)
    assert reply.status == 0
    assert len(server.certificates(device=device.name)) == 1


def test_plain_http_is_served_beside_it(server, device):
    assert server.enrol(device).status == 0


@pytest.mark.parametrize("version, is_served", [("1.3", True), ("1.2", True), ("1.1", False), ("1.0", False)])
def test_curl_is_served_by_tls_1_2_and_1_3_only(server, version, is_served):
    done = run("curl", "-sS", "--cacert", roots(server), "--ciphers", "DEFAULT@SECLEVEL=0", "--tls-max", version,
               f"--tlsv{version}", f"https://127.0.0.1:{server.tls_port}/scep/device?operation=GetCACaps", ok=False)
    assert (done.returncode == 0) == is_served, done.stderr
    assert ("SCEPStandard" in done.stdout) == is_served


def test_s_client_finds_the_chain_good_and_no_renegotiation_and_no_compression(server):
    done = openssl("s_client", "-connect", f"127.0.0.1:{server.tls_port}", "-CAfile", roots(server), "-x509_strict",
                   "-verify_return_error", "-verify_ip", "127.0.0.1", "-alpn", "http/1.1", "-tls1_2", data=b"R\n",
                   ok=False)
    said = (done.stdout + done.stderr).decode()
    assert "Verify return code: 0 (ok)" in said and "ALPN protocol: http/1.1" in said, said
    assert "Compression: NONE" in said and "no renegotiation" in said, said


def test_a_session_is_resumed_whichever_responder_answers(server):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode, c.maximum_version = False, ssl.CERT_NONE, ssl.TLSVersion.TLSv1_2
    session = None
    for turn in range(8):  # the kernel spreads them over all responders
        with c.wrap_socket(socket.create_connection(("127.0.0.1", server.tls_port)), session=session) as s:
            assert s.session_reused == (turn > 0)
            session = s.session


# --- the agent

def enrol_by_agent(server, name, tmp_path, anchor=None, url=None):
    profile = tmp_path / f"{name}.profile"
    server.muster("device", "add", name, "--template", "device", "--profile-out", profile)
    text = profile.read_text()
    assert f"https://127.0.0.1:{server.tls_port}/scep/device" in text
    assert re.search(r'^\s*TLSAnchor\s*=\s*"ca"', text, re.M), text
    if anchor:
        text = re.sub(r"(?m)^(\s*TLSAnchor\s*=\s*).*$", lambda m: f'{m[1]}"{anchor}"', text)
    if url:
        text = re.sub(r"(?m)^(\s*ServerURL\s*=\s*).*$", lambda m: f'{m[1]}"{url}"', text)
    profile.write_text(text)
    return run(AGENT, "enrol", "--profile", profile, "--store", tmp_path / "store", ok=False)


def test_the_agent_enrols_over_tls_with_the_profile_as_it_is(server, tmp_path):
    done = enrol_by_agent(server, "tls-agent", tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(server.certificates(device="tls-agent")) == 1


def test_the_agent_believes_a_file_of_anchors(server, tmp_path):
    assert enrol_by_agent(server, "tls-agent-file", tmp_path, anchor=roots(server)).returncode == 0


def test_the_agent_asks_nothing_of_a_server_that_is_not_the_one(server, tmp_path):
    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(pem(Party("stranger").cert))
    before = len(server.events())
    for name, more in [("system", {"anchor": "system"}), ("file", {"anchor": stranger}),
                       ("host", {"url": f"https://localhost:{server.tls_port}/scep/device"})]:
        done = enrol_by_agent(server, f"tls-wrong-{name}", tmp_path, **more)
        assert done.returncode == 4, done.stderr
        assert "not the server that is trusted" in done.stderr
    assert {e["kind"] for e in server.events()[before:]} == {"device-added", "password-issued"}


# --- certificates that are given

def given(server, name, **more):
    lines = {"certificate": f'"tls/{name}-cert.pem"', "key": f'"tls/{name}-key.pem"', **more}
    return f"tls {name} {{\n" + "".join(f"    {key} = {value}\n" for key, value in lines.items()) + "}"


def test_the_name_picks_the_certificate(new_server):
    server = new_server()
    shown = {name: Party(name) for name in ["first", "b.example", "wild"]}
    for name, party in shown.items():
        party.write(server.directory / "tls", name)
    server.replace_tls(given(server, "first"), given(server, "b.example", names='{"B.example"}'),
                       given(server, "wild", names='{"*.c.example"}'))
    server.start()
    for asked, name in [(None, "first"), ("b.example", "b.example"), ("x.c.example", "wild"), ("c.example", "first"),
                        ("nobody.example", "first")]:
        assert server.shake(name=asked) == shown[name].cert, asked


def test_client_certificates_are_asked_for_as_the_section_says(new_server, tmp_path):
    server = new_server()
    anchor, stranger = Party("clients"), Party("clients")
    Party("server").write(server.directory / "tls", "open")
    for name in ["optional", "required"]:
        Party(name).write(server.directory / "tls", name)
    (server.directory / "tls" / "anchors.pem").write_bytes(pem(anchor.cert))
    anchors = {"client_anchors": '"tls/anchors.pem"'}
    server.replace_tls(given(server, "open"),
                       given(server, "optional", names='{"o.example"}', client_certificates="optional", **anchors),
                       given(server, "required", names='{"r.example"}', client_certificates="required", **anchors))
    for name, issuer in [("good", anchor), ("wrong", stranger)]:
        Party(name, issuer, usage=ExtendedKeyUsageOID.CLIENT_AUTH).write(tmp_path, name)
    good, wrong = [(tmp_path / f"{n}-cert.pem", tmp_path / f"{n}-key.pem") for n in ("good", "wrong")]
    server.start()
    for version in [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]:
        for name, client, is_served in [(None, None, True), ("o.example", None, True), ("o.example", good, True),
                                        ("o.example", wrong, False), ("r.example", None, False),
                                        ("r.example", good, True), ("r.example", wrong, False)]:
            try:
                served = server.ask_by_tls(name=name, client=client, maximum_version=version)[0] == 200
            except (OSError, http.client.HTTPException):
                served = False
            assert served == is_served, (version, name, client)


@contextlib.contextmanager
def asking_all_the_time(server):
    """Requests one after another, each on a connection of its own; what failed is told at the end."""
    failures, done, count = [], threading.Event(), [0]

    def ask():
        while not done.is_set():
            try:
                assert server.ask_by_tls()[0] == 200
                count[0] += 1
            except Exception as e:  # noqa: BLE001
                failures.append(e)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for t in threads:
        t.start()
    try:
        yield
    finally:
        done.set()
        for t in threads:
            t.join()
    assert not failures and count[0] > 3, (failures[:3], count)


def wait_for_certificate(server, wanted, seconds=20):
    """Until every one of some new connections is shown what is wanted."""
    end = time.monotonic() + seconds
    while not all(wanted(server.shake()) for _ in range(8)):
        assert time.monotonic() < end, server.log()[-3000:]
        time.sleep(0.1)


@pytest.mark.parametrize("hangup", [True, False], ids=["sighup", "by-itself"])
def test_a_new_certificate_is_taken_up_without_a_failed_request(new_server, hangup):
    server = new_server()
    before, after = Party("before"), Party("after")
    before.write(server.directory / "tls", "default")
    server.replace_tls(given(server, "default"))
    server.start()
    assert server.shake() == before.cert
    children = server.children()
    with server.connect() as open_connection, asking_all_the_time(server):
        after.write(server.directory / "tls", "default")
        if hangup:
            server.process.send_signal(signal.SIGHUP)
        wait_for_certificate(server, lambda cert: cert == after.cert)
        open_connection.sendall(b"GET /scep/device?operation=GetCACaps HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in open_connection.recv(100)
    assert server.children() == children


def test_a_new_file_that_is_not_right_changes_nothing(new_server):
    server = new_server()
    party = Party("before")
    party.write(server.directory / "tls", "default")
    server.replace_tls(given(server, "default"))
    server.start()
    (server.directory / "tls" / "default-cert.pem").write_bytes(pem(Party("of another key").cert))
    server.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 10
    while "stays in use" not in server.log():
        assert time.monotonic() < end, server.log()
        time.sleep(0.05)
    assert server.shake() == party.cert


def test_a_server_with_a_wrong_key_does_not_start(new_server):
    server = new_server()
    Party("one").write(server.directory / "tls", "default")
    (server.directory / "tls" / "default-cert.pem").write_bytes(pem(Party("other").cert))
    server.replace_tls(given(server, "default"))
    with pytest.raises(AssertionError, match="is not the key of"):
        server.start()
    server.process = None


# --- certificates of our own authority

def test_the_server_has_its_certificate_issued_and_keeps_it_over_a_restart(new_server):
    server = new_server()
    server.start()
    cert = server.shake()
    row = server.certificates(serial=f"{cert.serial_number:x}")
    assert len(row) == 1 and row[0]["template"] == "tls:default"
    assert (server.directory / "tls" / "default.pem").stat().st_mode & 0o077 == 0
    assert cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value == \
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    server.stop()
    server.start()
    assert server.shake() == cert
    assert len(server.certificates()) == 1


def short_lived(server, life, issuer=None):
    """A certificate by the issuing authority's own key, or another's, with a life of our choice."""
    place = server.directory / "authority" / "issuing"
    if not issuer:
        issuer = Party("unused")
        issuer.key = serialization.load_pem_private_key((place / "key.pem").read_bytes(), None)
        issuer.cert = x509.load_pem_x509_certificate((place / "cert.pem").read_bytes())
    party = Party("127.0.0.1", issuer, life, x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    path = server.directory / "tls" / "default.pem"
    path.parent.mkdir(exist_ok=True)
    path.touch(0o600)
    path.write_bytes(pem(party.cert) + (place / "cert.pem").read_bytes() + (place / "chain.pem").read_bytes() +
                     party.key_pem())
    return party


def test_it_is_renewed_with_a_new_key_at_two_thirds_of_its_life_without_a_failed_request(new_server):
    server = new_server()
    old = short_lived(server, (-14, 19))  # due 8 s from now
    server.start()
    assert server.shake() == old.cert
    assert server.certificates() == []
    with asking_all_the_time(server):
        wait_for_certificate(server, lambda cert: cert != old.cert)
    new = server.shake()
    assert new.public_key().public_numbers() != old.cert.public_key().public_numbers()
    assert len(server.certificates()) == 1


def test_it_is_issued_anew_when_the_names_change(new_server):
    server = new_server()
    server.start()
    before = server.shake()
    server.stop()
    server.set_in("tls default", "names", '{"127.0.0.1", "pki.example"}')
    server.start()
    wait_for_certificate(server, lambda cert: cert != before)
    names = server.shake().extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["pki.example"]


def test_it_is_issued_anew_when_another_authority_had_signed_it(new_server):
    server = new_server()
    stranger = Party("Stranger CA")
    old = short_lived(server, (-60, 86400), stranger)
    server.start()
    wait_for_certificate(server, lambda cert: cert != old.cert)
    assert len(server.certificates()) == 1


def test_who_takes_the_file_away_gets_another_certificate(new_server):
    server = new_server()
    server.start()
    before = server.shake()
    server.stop()
    server.start()  # one that was made a moment ago is not made again before a minute has passed
    (server.directory / "tls" / "default.pem").unlink()
    server.process.send_signal(signal.SIGHUP)
    wait_for_certificate(server, lambda cert: cert != before)
    assert len(server.certificates()) == 2


def test_names_outside_of_the_authoritys_constraints_are_not_certified(new_server):
    server = new_server("--permit-dns", "example.net")
    server.set_in("tls default", "names", '{"elsewhere.example"}')
    Server.start(server)
    end = time.monotonic() + 10
    while "no new certificate" not in server.log():
        assert time.monotonic() < end, server.log()
        time.sleep(0.05)
    assert server.certificates() == []
    with pytest.raises(ssl.SSLError):
        server.shake()


def test_the_registrar_may_die_while_the_certificate_is_made(new_server):
    server = new_server()
    short_lived(server, (-60, 10))  # due at once
    server.start()
    for pid, role in server.children().items():
        if role.startswith("registrar"):
            os.kill(pid, signal.SIGKILL)
    wait_for_certificate(server, lambda cert: cert.not_valid_after > datetime.datetime.utcnow() +
                         datetime.timedelta(days=1))
    server.stop()
    server.log_path.write_text("")  # that a role died is what this test is about


# --- slow ones

def test_a_slow_handshake_is_cut_off(new_server):
    server = new_server()
    server.set_in(None, "header_timeout_s", 1)
    server.start()
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.tls_port), timeout=10) as s:
        s.sendall(b"\x16\x03\x01")
        assert s.recv(100) == b""
    assert 0.8 < time.monotonic() - began < 3


def test_plain_http_on_the_tls_port_gets_no_answer_and_hurts_nobody(server):
    with socket.create_connection(("127.0.0.1", server.tls_port), timeout=10) as s:
        s.sendall(b"GET /scep/device?operation=GetCACaps HTTP/1.1\r\nHost: x\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert b"HTTP" not in s.recv(100)
    assert server.ask_by_tls()[0] == 200


def test_a_server_may_listen_for_tls_alone(new_server):
    server = new_server()
    server.set_in(None, "listen", "{}")
    log = open(server.log_path, "ab")
    server.process = subprocess.Popen([MUSTERD, "run", server.directory], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    log.close()
    end = time.monotonic() + 10
    while True:
        with contextlib.suppress(OSError):
            if server.ask_by_tls()[0] == 200:
                break
        assert time.monotonic() < end, server.log()
        time.sleep(0.05)
    with pytest.raises(ConnectionRefusedError):
        server.get("operation=GetCACaps")
