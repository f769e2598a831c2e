# SPDX-License-Identifier: Apache-2.0
"""A musterd for tests: made in a directory of its own, on a free port of the loopback, ended by its pid."""

import base64
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.parse
import warnings
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.utils import CryptographyDeprecationWarning

import der
import scepmsg

warnings.simplefilter("ignore", CryptographyDeprecationWarning)

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("MUSTER_BUILD", ROOT / "build")).resolve()
MUSTERD = BUILD / "server" / "musterd"
MUSTER = BUILD / "cli" / "muster"
AGENT = BUILD / "agent" / "muster-agent"
BENCH = BUILD / "bench" / "muster-bench"

PKI_MESSAGE = "application/x-pki-message"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run(*command, ok=True, **more):
    """Run a program; with `ok` its failure is the test's."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120, **more)
    if ok and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def openssl(*arguments, ok=True, data=None):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, input=data, timeout=60)
    if ok and done.returncode != 0:
        raise AssertionError(f"openssl {' '.join(map(str, arguments))}: {done.stderr.decode()}")
    return done


def is_ca(cert):
    """An end entity has no basicConstraints at all, or says FALSE."""
    try:
        return cert.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM)


@dataclass
class Http:
    status: int
    kind: str
    body: bytes


@dataclass
class Device:
    """What a device was told, and the key it made."""

    name: str
    username: str
    password: str
    subject: str            # as text, RFC 4514
    key: object = None
    cert: object = None     # its self-signed signer


class Server:
    def __init__(self, directory, *init):
        self.directory = pathlib.Path(directory)
        self.port = free_port()
        self.process = None
        self.log_path = self.directory.with_suffix(".log")
        run(MUSTERD, "init", self.directory, "--listen", f"127.0.0.1:{self.port}", *init)

    # --- its life

    def start(self):
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen([MUSTERD, "run", self.directory], stdin=subprocess.DEVNULL,
                                        stdout=log, stderr=log)
        log.close()
        self.wait_until_it_answers()
        return self

    def wait_until_it_answers(self, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"musterd ended with {self.process.returncode}:\n{self.log()}")
            try:
                if self.get("operation=GetCACaps").status == 200 and self.muster("status", ok=False).returncode == 0:
                    return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.02)
        raise AssertionError(f"musterd does not answer within {seconds} s:\n{self.log()}")

    def stop(self):
        if not self.process:
            return 0
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"musterd did not end within 20 s of SIGTERM:\n{self.log()}")

    def end(self):
        """Stop it, and see that it ended in order, that no role died, and that no sanitizer had anything to say."""
        status, log = self.stop(), self.log()
        assert status == 0, log
        for sign in ["Sanitizer", "runtime error:", "starting it again"]:
            assert sign not in log, log[-6000:]

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def children(self):
        """The role processes: {pid: "responder 0"}."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except (OSError, ValueError):
                continue
            if parent == self.process.pid and b"role" in words:
                at = words.index(b"role")
                found[int(entry.name)] = b" ".join(words[at + 1 : at + 3]).decode()
        return found

    # --- its configuration

    @property
    def config_path(self):
        return self.directory / "musterd.conf"

    def set_in(self, section, key, value):
        """Set a key within a section of the configuration ("path device"), or outside with section None."""
        text = self.config_path.read_text()
        line = f"{key} = {value}\n"
        old = re.compile(rf"^[ \t]*#?[ \t]*{key}[ \t]*=.*\n", re.M)
        if section is None:
            text = line + re.sub(rf"^{key}[ \t]*=.*\n", "", text, flags=re.M)
        else:
            head = re.search(rf"^{section}[ \t]*\{{", text, re.M)
            assert head, f"no section {section} in {text}"
            end = text.index("\n}", head.end()) + 1
            body = old.sub("", text[head.end() : end])
            text = text[: head.end()] + "\n    " + line + body.lstrip("\n") + text[end:]
        self.config_path.write_text(text)

    # --- as an operator

    def muster(self, *words, ok=True):
        return run(MUSTER, "--dir", self.directory, *words, ok=ok)

    def ask(self, *words):
        """The objects that a command prints with --json."""
        return [json.loads(line) for line in self.muster("--json", *words).stdout.splitlines()]

    def add_device(self, name, *words, key=None):
        profile = self.ask("device", "add", name, "--template", "device", "--no-password", *words)[0]["profile"]
        return Device(name, profile["username"], self.issue_password(name), profile["subject"],
                      key or scepmsg.new_key())

    def issue_password(self, name, *words):
        return self.ask("password", "issue", name, *words)[0]["password"]

    def device_state(self, name):
        return self.ask("device", "show", name)[0]["device"]

    def certificates(self, **match):
        rows = self.ask("certificate", "list")
        return [r for r in rows if all(r[k] == v for k, v in match.items())]

    def events(self, **match):
        rows = self.ask("event", "list")
        return [r for r in rows if all(r.get(k) == v for k, v in match.items())]

    # --- as a SCEP client

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}"

    def request(self, method, target, body=None, headers=None):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            link.request(method, target, body, headers or {})
            answer = link.getresponse()
            return Http(answer.status, answer.getheader("Content-Type", ""), answer.read())
        finally:
            link.close()

    def get(self, query, path="device"):
        return self.request("GET", f"/scep/{path}?{query}")

    def post(self, body, path="device", query="?operation=PKIOperation", kind=PKI_MESSAGE):
        return self.request("POST", f"/scep/{path}{query}", body, {"Content-Type": kind} if kind else {})

    def get_message(self, message, path="device", quote=True):
        text = base64.b64encode(message).decode()
        return self.get("operation=PKIOperation&message=" + (urllib.parse.quote(text, safe="") if quote else text), path)

    def ca_certs(self, path="device"):
        answer = self.get("operation=GetCACert", path)
        assert answer.status == 200, answer
        if answer.kind == "application/x-x509-ca-cert":
            return [x509.load_der_x509_certificate(answer.body)]
        return scepmsg.certs_only(answer.body)

    def ca_certs_once(self):
        """The same, asked for once in this server's life."""
        self._ca_certs = getattr(self, "_ca_certs", None) or self.ca_certs()
        return self._ca_certs

    def ra_cert(self, path="device"):
        """The one to encrypt to: no CA, and with keyEncipherment."""
        for cert in self.ca_certs_once() if path == "device" else self.ca_certs(path):
            usage = cert.extensions.get_extension_for_class(x509.KeyUsage).value
            if usage.key_encipherment and not usage.key_cert_sign:
                return cert
        raise AssertionError("GetCACert has no certificate to encrypt to")

    def request_for(self, device, **more):
        """The CSR of a device, as its template wants it; `more` goes to scepmsg.csr()."""
        subject = more.pop("subject", None)
        names = more.pop("san", None)
        password = more.pop("password", device.password)
        username = more.pop("username", device.username)
        attributes = [] if password is None else [scepmsg.challenge(password)]
        names = [f"DNS:{username}"] if names is None else names
        if names:
            attributes.append(scepmsg.extension_request(scepmsg.extension(scepmsg.SAN, scepmsg.san(*names))))
        attributes += more.pop("attributes", [])
        return scepmsg.csr(device.key, scepmsg.name(device.subject) if subject is None else subject,
                           attributes, **more)

    def message(self, device, data=None, **more):
        device.cert = device.cert or scepmsg.self_signed(device.key, device.name)
        values = {"key": device.key, "cert": device.cert, "recipients": [self.ra_cert()],
                  "password": device.password, "data": self.request_for(device) if data is None else data, **more}
        return scepmsg.Message(**values)

    def poll_message(self, device, transaction, **more):
        """A CertPoll for a request of the device."""
        issuer = more.pop("issuer", self.ca_certs_once()[1].subject.public_bytes())
        subject = more.pop("subject", scepmsg.name(device.subject))
        data = more.pop("data", der.seq(issuer, subject))
        return scepmsg.Message(key=more.pop("key", device.key), cert=more.pop("cert", device.cert),
                               recipients=[self.ra_cert()], data=data, message_type=20, transaction=transaction, **more)

    def exchange(self, message, key=None, cert=None):
        """Send a message by POST, read and prove the CertRep, and check that it answers this message."""
        answer = self.post(message.der())
        assert answer.status == 200, f"HTTP {answer.status}: {answer.body[:200]}\n{self.log()[-2000:]}"
        assert answer.kind == PKI_MESSAGE
        reply = scepmsg.read_reply(answer.body, key or message.key, cert or message.cert, self.ca_certs_once(),
                                   message.password)
        if isinstance(message.transaction, str):
            assert reply.transaction == message.transaction
        if isinstance(message.nonce, bytes):
            assert reply.recipient_nonce == message.nonce
        return reply

    def enrol(self, device, **more):
        return self.exchange(self.message(device, **more))

    def verify(self, cert, tmp_path):
        """openssl verify in strict mode, from the issued certificate to the root."""
        chain = [c for c in self.ca_certs() if is_ca(c)]
        roots = [c for c in chain if c.issuer == c.subject]
        (tmp_path / "root.pem").write_bytes(b"".join(map(pem, roots)))
        (tmp_path / "chain.pem").write_bytes(b"".join(map(pem, chain)))
        (tmp_path / "leaf.pem").write_bytes(pem(cert))
        openssl("verify", "-x509_strict", "-CAfile", tmp_path / "root.pem", "-untrusted", tmp_path / "chain.pem",
                tmp_path / "leaf.pem")


def serial_text(cert):
    text = f"{cert.serial_number:x}"
    return text.zfill(len(text) + len(text) % 2)


__all__ = ["AGENT", "BENCH", "BUILD", "Device", "MUSTER", "MUSTERD", "PKI_MESSAGE", "ROOT", "Server", "der", "is_ca",
           "openssl", "pem", "run", "scepmsg", "serial_text"]
