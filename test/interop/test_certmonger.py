# SPDX-License-Identifier: Apache-2.0
"""certmonger, from its Debian package: asks by GET though POST is offered, AES-256, decimal transactionIDs."""

import os
import shlex
import subprocess

import pytest
from cryptography import x509

from server import MUSTER, pem

SESSION = "/usr/lib/certmonger/certmonger-session"


@pytest.fixture
def certmonger(tmp_path):
    """Run a shell script with a certmonger of its own, on a socket of its own: no bus, no root."""
    directories = {}
    for name in ["REQUESTS_DIR", "CAS_DIR", "CONFIG_DIR", "TMPDIR", "LOCAL_CA_DIR"]:
        directories[f"CERTMONGER_{name}"] = str(tmp_path / name.lower())
        (tmp_path / name.lower()).mkdir()
    environment = {**os.environ, **directories, "HOME": str(tmp_path)}

    def run(script):
        path = tmp_path / "script"
        path.write_text("set -e\n" + script)
        done = subprocess.run([SESSION, "-n", "-L", "-P", str(tmp_path / "socket"), "-c", f"sh {path}"],
                              env=environment, capture_output=True, text=True, timeout=90)
        return done.stdout + done.stderr

    return run


def script_for(server, device, tmp_path, wait="-w || true"):
    """The CA is described by hand: certmonger does not fetch a chain by itself."""
    authorities = [c for c in server.ca_certs() if c != server.ra_cert()]
    (tmp_path / "root.pem").write_bytes(pem(authorities[-1]))
    (tmp_path / "ra.pem").write_bytes(pem(server.ra_cert()))
    (tmp_path / "chain.pem").write_bytes(b"".join(map(pem, authorities)))
    (tmp_path / "password").write_text(device.password)
    q = {k: shlex.quote(str(tmp_path / k)) for k in ["root.pem", "ra.pem", "chain.pem", "password", "key.pem", "cert.pem"]}
    subject = ",".join(reversed(device.subject.split(","))) # certmonger writes it as given; RFC 4514 reads backwards
    return f"""
getcert add-scep-ca -c muster -u {server.base}/scep/device -N {q['root.pem']} -r {q['ra.pem']} -I {q['chain.pem']}
for i in $(seq 50); do
    getcert list-cas -c muster | grep -q 'SCEP CA certificate' && break
    sleep 0.2
done
getcert request -c muster -I device -k {q['key.pem']} -f {q['cert.pem']} -N {shlex.quote(subject)} -D {device.username} \\
    -l {q['password']} {wait}
getcert list -c muster
"""


def test_certmonger_enrols(server, certmonger, tmp_path):
    device = server.add_device("certmonger-1")
    said = certmonger(script_for(server, device, tmp_path))
    assert "status: MONITORING" in said, f"{said}\n{server.events()[-3:]}"
    cert = x509.load_pem_x509_certificate((tmp_path / "cert.pem").read_bytes())
    assert f"CN={device.name}" in cert.subject.rfc4514_string()
    server.verify(cert, tmp_path)
    assert len(server.certificates(device=device.name)) == 1


def test_certmonger_is_told_that_a_password_is_wrong(server, certmonger, tmp_path):
    device = server.add_device("certmonger-2")
    device.password = "wrong"
    said = certmonger(script_for(server, device, tmp_path))
    assert "status: CA_REJECTED" in said, said
    assert server.certificates(device=device.name) == []
    assert server.events(kind="refused")[-1]["text"]


def test_certmonger_asks_again_until_it_is_approved(new_server, certmonger, tmp_path):
    """Told to look again, it sends no CertPoll but the same request again, with the same transaction and password."""
    server = new_server("--depth", "2")
    server.set_in("path device", "approval", '"operator"')
    server.start()
    device = server.add_device("certmonger-2")
    muster = f"{shlex.quote(str(MUSTER))} --dir {shlex.quote(str(server.directory))}"
    script = script_for(server, device, tmp_path, wait="") + f"""
for i in $(seq 100); do
    {muster} enrolment list --pending | grep -q certmonger-2 && break
    sleep 0.2
done
sleep 1
getcert list -c muster
{muster} enrolment approve 1
getcert refresh -i device
for i in $(seq 100); do
    getcert list -c muster | grep -q MONITORING && break
    sleep 0.2
done
getcert list -c muster
"""
    said = certmonger(script)
    assert "status: CA_WORKING" in said, said
    assert "status: MONITORING" in said.rpartition("CA_WORKING")[2], f"{said}\n{server.events()[-3:]}"
    cert = x509.load_pem_x509_certificate((tmp_path / "cert.pem").read_bytes())
    assert len(server.certificates(device="certmonger-2")) == 1 and cert.serial_number
    assert server.events(kind="repeated") and not server.events(kind="refused"), server.events()
