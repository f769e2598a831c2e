# SPDX-License-Identifier: Apache-2.0
"""What a server puts up with: rates of addresses, paths and altogether; slow connections."""

import http.client
import time

import pytest

from server import AGENT, free_port, run
from slow import Slow

SLOW_CONNECTIONS = 2000
HONEST_REQUESTS = 200


def status_and_retry(server, path="device", source="127.0.0.1", method="POST"):
    """Of a message that is none: 400 where it was looked at, 429 where it was not."""
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20, source_address=(source, 0))
    try:
        link.request(method, f"/scep/{path}?operation=PKIOperation&message=AAAA", b"no message" if method == "POST" else None)
        answer = link.getresponse()
        answer.read()
        return answer.status, answer.getheader("Retry-After")
    finally:
        link.close()


def test_an_address_has_its_rate_whichever_responder_it_meets(new_server):
    server = new_server()
    server.set_in(None, "address_rate_per_minute", 6)
    server.set_in(None, "responders", 4)
    server.start()
    answers = [status_and_retry(server, method="GET" if i % 2 else "POST") for i in range(40)]
    assert [a[0] for a in answers] == [400] * 6 + [429] * 34
    assert all(1 <= int(retry) <= 10 for status, retry in answers if status == 429)
    assert status_and_retry(server, source="127.0.0.2")[0] == 400
    assert server.get("operation=GetCACaps").status == 200 and server.get("operation=GetCACert").status == 200


def test_a_flood_beyond_the_rate_does_not_fill_the_ledger(new_server):
    server = new_server()
    server.set_in(None, "address_rate_per_minute", 1)
    server.start()
    assert [status_and_retry(server)[0] for _ in range(100)] == [400] + [429] * 99
    until = time.monotonic() + 10
    while len(texts := [e["text"] for e in server.events(kind="refused")]) < 2 and time.monotonic() < until:
        time.sleep(0.1)  # they are answered first and recorded after
    assert len(texts) == 2 and "too many requests from this address" in texts[1] and "HTTP 429" in texts[1]


def test_who_has_waited_is_served_again(new_server):
    server = new_server()
    server.set_in(None, "address_rate_per_minute", 60)
    server.start()
    device = server.add_device("patient")
    answers = [status_and_retry(server) for _ in range(62)]
    assert answers[-1][0] == 429
    time.sleep(int(answers[-1][1]))
    assert server.enrol(device).status == 0


def test_a_path_and_the_server_have_rates_too(new_server):
    for section, key, whose in [("path device", "rate_per_minute", "on this path"),
                                (None, "overall_rate_per_minute", "for this server")]:
        server = new_server()
        server.set_in(section, key, 5)
        server.start()
        statuses = [status_and_retry(server, source=f"127.0.0.{i + 1}")[0] for i in range(8)]
        assert statuses == [400] * 5 + [429] * 3
        assert any(whose in e["text"] for e in server.events(kind="refused"))
        server.stop()


def test_a_device_that_is_refused_for_its_rate_spends_nothing(new_server):
    """Nothing was looked at: the password is as good as before."""
    server = new_server()
    server.set_in(None, "address_rate_per_minute", 2)
    server.start()
    device = server.add_device("early")
    assert [status_and_retry(server)[0] for _ in range(3)] == [400, 400, 429]
    assert server.post(server.message(device).der()).status == 429
    server.stop()
    server.set_in(None, "address_rate_per_minute", 0)
    server.start()
    assert server.enrol(device).status == 0


def test_the_agent_comes_again_when_it_was_told_to(new_server, tmp_path):
    server = new_server()
    server.set_in(None, "address_rate_per_minute", 20)
    server.start()
    profile = tmp_path / "gw.profile"
    server.muster("device", "add", "gw", "--template", "device", "--profile-out", profile)
    while status_and_retry(server)[0] != 429:
        pass
    began = time.monotonic()
    run(AGENT, "enrol", "--profile", profile, "--store", tmp_path / "store")
    assert time.monotonic() - began > 0.5  # 3 s between two, less what the requests above took
    assert len(server.certificates(device="gw")) == 1


def test_a_user_has_a_rate_and_waiting_helps(new_server):
    server = new_server()
    server.set_in("path device", "user_rate_per_minute", 6)  # the next one comes after ten seconds
    server.set_in(None, "password_tries", 1000)
    server.start()
    device = server.add_device("hasty")
    other = server.add_device("calm")
    wrong = server.message(device, server.request_for(device, password="not-the-password")).der()
    right = server.message(device).der()
    answers = [server.post(wrong).status for _ in range(8)]
    assert answers[:6] == [200] * 6 and answers[-1] == 429
    assert server.post(right).status == 429, "the right password is not looked at either"
    assert server.enrol(other).status == 0
    events = [e for e in server.events(kind="refused") if "too many requests of the user" in e["text"]]
    assert len(events) == 1
    until = time.monotonic() + 60
    while server.post(right).status == 429 and time.monotonic() < until:
        time.sleep(0.5)
    assert len(server.certificates(device="hasty")) == 1


@pytest.mark.parametrize("connections_max", [4096, 256], ids=["all-find-room", "the-oldest-give-way"])
def test_honest_clients_are_served_while_2000_slow_connections_hang(new_server, connections_max):
    tls_port = free_port()
    server = new_server("--tls", "127.0.0.1", "--listen-tls", f"127.0.0.1:{tls_port}", "--url", "http://127.0.0.1")
    server.set_in(None, "connections_max", connections_max)
    server.start()
    device = server.add_device("honest")
    with Slow(SLOW_CONNECTIONS, server.port, tls_port, tls_ports=(tls_port,)) as slow:
        for _ in range(HONEST_REQUESTS):
            assert server.get("operation=GetCACaps").status == 200
        assert server.enrol(device).status == 0
        assert slow.held() >= SLOW_CONNECTIONS - 1 and slow.is_alive()
