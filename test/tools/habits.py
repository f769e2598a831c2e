# SPDX-License-Identifier: Apache-2.0
"""Habits of doc/style.md that a machine can see.

    habits.py --list        the names of the checks
    habits.py NAME          run one; prints what is wrong, and ends with 1 where something is
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"", re.S)
BANNED = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|gets|atoi|strtok|alloca|system|popen)\s*\(")
TIME = re.compile(r"(?<![\w.>])(time|gettimeofday|clock_gettime)\s*\(")
EXIT = re.compile(r"(?<![\w.>])exit\s*\(")
GOTO = re.compile(r"\bgoto\b")
TYPEDEF = re.compile(r"\btypedef\s+(struct|union|enum)\b[^(]*$")
FOREIGN_CMS = re.compile(r"\b(PKCS7|CMS)_\w+\s*\(")
MACHINE = re.compile(r"(?<![\w.])/(home|root|Users|work)/\w+")


def tracked():
    """The files of the tree that are ours to read."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            capture_output=True, text=True)
    names = listed.stdout.split("\0") if listed.returncode == 0 else \
        [str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if p.is_file() and not p.parts[len(ROOT.parts)].startswith("build")]
    return [ROOT / n for n in names if n and (ROOT / n).is_file()]


def sources(*suffixes):
    return [p for p in tracked() if p.suffix in (suffixes or (".c", ".h", ".def"))]


def is_test(path):
    return path.name.endswith(("_test.c", "_fuzz.c", "fixture.c")) or path.is_relative_to(ROOT / "test")


def code_of(path):
    """The text without comments and strings, line for line."""
    return COMMENT.sub(lambda m: "\n" * m[0].count("\n"), path.read_text())


def find(pattern, paths):
    for path in paths:
        for number, line in enumerate(code_of(path).splitlines(), 1):
            if pattern.search(line):
                yield f"{path.relative_to(ROOT)}:{number}: {line.strip()}"


def no_banned_calls():
    return find(BANNED, sources())


def one_clock():
    return find(TIME, [p for p in sources() if not p.is_relative_to(ROOT / "lib" / "base") and not is_test(p)])


def exit_in_main_only():
    return find(EXIT, [p for p in sources(".c") if p.name != "main.c" and not is_test(p)])


def no_goto():
    return find(GOTO, sources())


def no_typedef_of_structs():
    return find(TYPEDEF, sources())


def no_cms_of_openssl_in_the_server():
    return find(FOREIGN_CMS, [p for p in sources() if not is_test(p)])


def licence_on_every_file():
    plain = {".md", ".conf", ".txt", ".tsv", ".pem", ".der", ""}
    for path in tracked():
        parts = path.relative_to(ROOT).parts
        if path.suffix in plain and parts[0] != "script" or "good" in parts or "bad" in parts:
            continue
        head = path.read_bytes()[:600]
        if b"\0" not in head and b"SPDX-License-Identifier: Apache-2.0" not in head:
            yield f"{path.relative_to(ROOT)}: no SPDX line"


def no_paths_of_one_machine():
    for path in tracked():
        if path.suffix in (".c", ".h", ".py", ".sh", ".md", ".build", "") and path.name != "habits.py":
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                if MACHINE.search(line):
                    yield f"{path.relative_to(ROOT)}:{number}: {line.strip()}"


def programs_and_roles_never_include_one_another():
    homes = ["agent", "cli", "bench", "server/signer", "server/registrar", "server/responder"]
    for path in sources(".c", ".h"):
        name = str(path.relative_to(ROOT))
        home = next((h for h in homes if name.startswith(h + "/")), None)
        for found in re.finditer(r'#include "([^"]+)"', path.read_text()):
            other = next((h for h in homes if found[1].startswith(h + "/")), None)
            if other and other != home and (home or name.startswith("lib/")):
                yield f"{name} includes {found[1]}"


CHECKS = {f.__name__.replace("_", "-"): f for f in (
    no_banned_calls, one_clock, exit_in_main_only, no_goto, no_typedef_of_structs, no_cms_of_openssl_in_the_server,
    licence_on_every_file, no_paths_of_one_machine, programs_and_roles_never_include_one_another)}


def main(name):
    if name == "--list":
        print(*CHECKS, sep="\n")
        return
    wrong = list(CHECKS[name]())
    print(*wrong, sep="\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main(*sys.argv[1:])
