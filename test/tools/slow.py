# SPDX-License-Identifier: Apache-2.0
"""Slow connections: many at once, each of which begins a request and sends a byte of it now and then.

As a program: slow.py COUNT PORT TLS_PORT holds them until it is ended, and says "holding" when all are there.
"""

import resource
import selectors
import socket
import sys
import threading
import time

BEGINNING = b"POST /scep/device?operation=PKIOperation HTTP/1.1\r\nHost: x\r\nX-Slow: "
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  # the beginning of a TLS handshake, which is no HTTP either
PAUSE_S = 1.0


def raise_file_limit(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 256
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


class Slow(threading.Thread):
    """Holds `count` slow connections to the ports of the loopback in turn; those that the server ends come again."""

    def __init__(self, count, *ports, tls_ports=()):
        super().__init__(daemon=True)
        raise_file_limit(count)
        self.ports, self.tls_ports, self.count = ports, tls_ports, count
        self.selector = selectors.DefaultSelector()
        self.sockets, self.done = set(), threading.Event()
        self.came_again = 0

    def dial(self, i):
        port = self.ports[i % len(self.ports)]
        s = socket.create_connection(("127.0.0.1", port), timeout=10)
        s.send(HELLO if port in self.tls_ports else BEGINNING)
        s.setblocking(False)
        self.selector.register(s, selectors.EVENT_READ, i)
        self.sockets.add(s)

    def replace(self, s, i):
        self.selector.unregister(s)
        self.sockets.discard(s)
        s.close()
        self.came_again += 1
        self.dial(i)

    def trickle(self):
        for s in list(self.sockets):
            try:
                s.send(b"a")
            except OSError:
                pass  # its end shows when it is read

    def run(self):
        for i in range(self.count):
            self.dial(i)
        next_trickle = time.monotonic()
        while not self.done.is_set():
            if time.monotonic() >= next_trickle:
                next_trickle += PAUSE_S
                self.trickle()
            for key, _ in self.selector.select(0.1):
                self.replace(key.fileobj, key.data)

    def held(self):
        return len(self.sockets)

    def wait(self, seconds=60):
        end = time.monotonic() + seconds
        while self.held() < self.count:
            assert time.monotonic() < end and self.is_alive(), f"{self.held()} of {self.count} slow connections"
            time.sleep(0.05)

    def __enter__(self):
        self.start()
        self.wait()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()
        for s in self.sockets:
            s.close()
        self.selector.close()


if __name__ == "__main__":
    http_port, tls_port = int(sys.argv[2]), int(sys.argv[3])
    with Slow(int(sys.argv[1]), http_port, tls_port, tls_ports=(tls_port,)) as slow:
        print("holding", flush=True)
        while slow.is_alive():
            time.sleep(0.5)
