# SPDX-License-Identifier: Apache-2.0
"""Fixtures for pytest: servers that are made, started and ended by their pid."""

import pytest

from server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One running server for the tests of a file; each test brings devices of its own."""
    s = Server(tmp_path_factory.mktemp("muster") / "pki", "--depth", "3")
    s.start()
    yield s
    assert s.stop() == 0, s.log()


@pytest.fixture
def new_server(tmp_path):
    """Makes servers for one test: new_server("--depth", "1") is not yet started."""
    made = []

    def make(*init):
        made.append(Server(tmp_path / f"pki{len(made)}", *init))
        return made[-1]

    yield make
    for s in made:
        s.stop()


@pytest.fixture
def device(server, request):
    """A registered device with a password, named after the test."""
    return server.add_device("d-" + request.node.name.replace("[", "-").replace("]", "").replace("_", "-")[:50].lower())
