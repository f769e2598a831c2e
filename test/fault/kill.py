# SPDX-License-Identifier: Apache-2.0
"""Kill -9 of every process of the server at random moments under load, then count what went wrong.

muster-bench keeps enrolling: it sends each request again until its certificate has come and been proved, and then
writes it down. After a last restart four books are compared: that ledger; the registrar's certificates; the signer's
journal (read by test/tools/journal.py, which proves its chain); the registrar's events, as the command lists them
and as they stand in the database, where their chain of hashes is computed again.

  lost         acknowledged to a device, and not among the certificates, or not in the journal
  duplicate    a serial number given twice, or a password that gave two certificates
  unrecorded   in the journal, and not among the certificates; or among them only because the registrar found it in
               the journal at a start and knew of no intent for it (an event of the kind "orphan"); a journal that
               ended before what the database knew ("journal-lost"); an intent still open after the last restart;
               an event changed, missing, or not listed; a good request refused
"""

import argparse
import collections
import contextlib
import hashlib
import os
import pathlib
import random
import signal
import sqlite3
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))

from fixtures import work_directory  # noqa: E402
from journal import read_journal  # noqa: E402
from server import BENCH, Server  # noqa: E402

WRONG_EVENTS = ["orphan", "journal-lost"]
ROLES = ["responder", "registrar", "signer", "supervisor"]
RECOVERY_S = 20
RATE_PER_S = 250


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(what, check, seconds=RECOVERY_S):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return
        time.sleep(0.005)
    raise AssertionError(f"not within {seconds} s: {what}")


# The supervisor stops when a signer or registrar dies SHORT_LIVES_MOST times in a row within SHORT_LIFE_MS of its start
# (supervisor.c): that is a loop, and says so.  Kills at random moments are none, so a role that was often unlucky lives.
SHORT_LIFE_S = 1
UNLUCKY_MOST = 7


class Pace:
    def __init__(self):
        self.born = {}
        self.unlucky = collections.Counter()

    def before(self, who):
        is_short = time.monotonic() - self.born.get(who, 0) < SHORT_LIFE_S
        self.unlucky[who] = self.unlucky[who] + 1 if is_short else 0
        if self.unlucky[who] > UNLUCKY_MOST:
            time.sleep(SHORT_LIFE_S)
            self.unlucky[who] = 0

    def after(self, who):
        self.born[who] = time.monotonic()


def kill_role(server, role, pace):
    """Kill one process of a role; the supervisor must bring it back under another pid."""
    victims = [pid for pid, who in server.children().items() if who.startswith(role)]
    if not victims:
        return False
    before = server.children()
    victim = random.choice(victims)
    pace.before(before[victim])
    os.kill(victim, signal.SIGKILL)
    wait_until(f"a new {before[victim]}", lambda: before[victim] in [
        who for pid, who in server.children().items() if pid != victim])
    pace.after(before[victim])
    return True


def kill_supervisor(server):
    """Kill the supervisor: the roles must end by themselves; then the server is started again, as a service manager does."""
    children = list(server.children())
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    wait_until("the roles end without their supervisor", lambda: not any(map(alive, children)))
    server.start()
    return True


def kill_many(server, load, kills):
    """Each process in its turn, at moments that nobody chose."""
    done = collections.Counter()
    pace = Pace()
    while sum(done.values()) < kills:
        time.sleep(random.expovariate(1 / 0.25) if random.random() < 0.8 else random.uniform(0, 0.02))
        load.go_on()
        role = random.choices(ROLES, weights=[4, 4, 4, 2])[0]
        if kill_supervisor(server) if role == "supervisor" else kill_role(server, role, pace):
            done[role] += 1
    return done


class Load:
    """muster-bench load, started again with new devices when it has no requests left."""

    def __init__(self, server, ledger, count):
        self.command = [BENCH, "load", "--dir", server.directory, "--ledger", ledger, "--count", str(count),
                        "--connections", "16", "--rate", str(RATE_PER_S)]
        self.refused = False
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            raise AssertionError(f"muster-bench load did not begin: {line!r}")

    def go_on(self):
        if self.process.poll() is not None:
            self.end()
            self.start()

    def end(self):
        """No new requests; those under way may still be answered."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=60)
        print(out.strip(), file=sys.stderr)
        self.refused = self.refused or self.process.returncode != 0

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def books(server, ledger):
    acknowledged = [line.split() for line in ledger.read_text().splitlines()]
    certificates = [(row["device"], row["serial"]) for row in server.ask("certificate", "list")]
    return acknowledged, certificates, server.events()


def event_rows(database):
    with contextlib.closing(sqlite3.connect(database)) as link:
        return link.execute("SELECT id, when_s, kind, device, serial, path, transaction_text, address, text, hash"
                            " FROM event ORDER BY id").fetchall()


def event_hash(before, number, when_s, fields):
    """As lib/store/event.c has it: the hash before, the two numbers, each field with its length before it."""
    parts = [before, struct.pack(">QQ", number, when_s)]
    for field in fields:
        field = field.encode() if isinstance(field, str) else field
        parts += [struct.pack(">Q", len(field)), field]
    return hashlib.sha256(b"".join(parts)).digest()


def broken_events(rows):
    """The events of the database that are not what was written, or whose neighbour is missing."""
    wrong, before = [], bytes(32)
    for expected, (number, when_s, *fields, kept) in enumerate(rows, 1):
        if number != expected or event_hash(before, number, when_s, fields) != kept:
            wrong.append(f"event {number}: the chain of hashes is broken")
        before = kept
    return wrong


def wrong_events(listed, rows):
    """What the events say against the registrar: what it could not know of, a broken chain, one that is not listed."""
    wrong = [f"event {event['id']}: {event['kind']}: {event['text']}" for event in listed
             if event["kind"] in WRONG_EVENTS]
    missing = {row[0] for row in rows} ^ {int(event["id"]) for event in listed}
    if not rows:
        wrong.append("there are no events")
    wrong += [f"event {number}: not both listed and in the database" for number in sorted(missing)]
    return wrong + broken_events(rows)


def compare(acknowledged, certificates, journal):
    """(lost, duplicate, unrecorded), each as a list of what."""
    known = set(certificates)
    signed = {serial for _, serial, _ in journal}
    lost = [pair for pair in map(tuple, acknowledged) if pair not in known or pair[1] not in signed]
    duplicate = []
    for book in ([s for _, s in acknowledged], [s for _, s in certificates], [s for _, s, _ in journal],
                 [d for d, _ in certificates], [d for d, _ in acknowledged]):
        duplicate += [what for what, times in collections.Counter(book).items() if times > 1]
    recorded = {serial for _, serial in certificates}
    unrecorded = [serial for serial in signed if serial not in recorded]
    return lost, duplicate, unrecorded


def run(work, kills, count):
    server = Server(work / "pki")
    ledger = work / "ledger"
    ledger.touch()
    load = None
    try:
        server.start()
        load = Load(server, ledger, count)
        done = kill_many(server, load, kills)
        load.end()
        # A last start: the registrar compares its intents with the signer's journal and completes what is open.
        server.stop()
        server.start()
        status = server.ask("status")[0]
        acknowledged, certificates, events = books(server, ledger)
        server.stop()
    except BaseException:
        if load:
            load.kill()
        print(server.log()[-4000:], file=sys.stderr)
        server.stop()
        raise
    lost, duplicate, unrecorded = compare(acknowledged, certificates, read_journal(find_journal(server)))
    unrecorded += wrong_events(events, event_rows(server.directory / "registrar" / "ledger.db"))
    if status["open_intents"] != 0:
        unrecorded.append(f"{status['open_intents']} intents still open after a restart")
    if load.refused:
        unrecorded.append("muster-bench load: good requests were refused")
    print(dict(done), file=sys.stderr)
    return sum(done.values()), acknowledged, lost, duplicate, unrecorded


def find_journal(server):
    found = {p.parent for p in server.directory.rglob("00000001.log")}
    assert len(found) == 1, f"one journal expected, found {found}"
    return found.pop()


def main():
    parser = argparse.ArgumentParser(prog="script/fault kill")
    parser.add_argument("--short", action="store_true", help="100 kills instead of 1000")
    parser.add_argument("--kills", type=int)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    arguments = parser.parse_args()
    kills = arguments.kills or (100 if arguments.short else 1000)
    random.seed(arguments.seed)
    print(f"seed {arguments.seed}", file=sys.stderr)
    with work_directory() as work:
        done, acknowledged, lost, duplicate, unrecorded = run(work, kills, min(20000, 150 * kills))
    for name, wrong in [("lost", lost), ("duplicate", duplicate), ("unrecorded", unrecorded)]:
        for what in wrong[:10]:
            print(f"{name}: {what}", file=sys.stderr)
    print(f"kills {done}, acknowledged {len(acknowledged)}, lost {len(lost)}, duplicate {len(duplicate)}, "
          f"unrecorded {len(unrecorded)}")
    sys.exit(bool(lost or duplicate or unrecorded))


if __name__ == "__main__":
    main()
