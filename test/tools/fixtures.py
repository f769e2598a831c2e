# SPDX-License-Identifier: Apache-2.0
"""Fixtures for pytest: servers that are made, started and ended by their pid."""

import contextlib
import itertools
import pathlib
import re
import shutil
import tempfile

import pytest

from server import Server

numbers = itertools.count(1)


@contextlib.contextmanager
def work_directory():
    """A directory that only we can enter, as under a home: the roles get what they need all the same."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="muster-test."))
    yield path
    shutil.rmtree(path)


@contextlib.contextmanager
def running_server(*init, kind=Server, settings=()):
    """One server while the block lasts; settings are (section, key, value) of its configuration."""
    with work_directory() as work:
        s = kind(work / "pki", *init)
        for setting in settings:
            s.set_in(*setting)
        try:
            s.start()
            yield s
            s.end()
        finally:
            s.stop()


@contextlib.contextmanager
def server_maker(kind=Server):
    """Makes servers, which are not yet started, and ends them after the block."""
    made = []

    def make(*init):
        made.append(kind(work / f"pki{len(made)}", *init))
        return made[-1]

    with work_directory() as work:
        try:
            yield make
            for s in made:
                s.end()
        finally:
            for s in made:
                s.stop()


@pytest.fixture(scope="module")
def server():
    """One running server for the tests of a file; each test brings devices of its own."""
    with running_server("--depth", "3") as s:
        yield s


@pytest.fixture
def new_server():
    """Makes servers for one test: new_server("--depth", "1") is not yet started."""
    with server_maker() as make:
        yield make


@pytest.fixture
def device(server, request):
    """A registered device with a password, named after the test."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower()).strip("-")
    return server.add_device(f"{words[:44].strip('-')}-{next(numbers)}")
