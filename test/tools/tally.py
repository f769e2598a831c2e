# SPDX-License-Identifier: Apache-2.0
"""Count single tests in what meson and pytest leave behind, and tell of those that failed.

    tally.py meson BUILD/meson-logs/testlog.json
    tally.py junit RESULT.xml

Prints "PASSED FAILED" on standard output, and on standard error what the failed ones said.  A test that was
skipped, a program that crashed before it could count, and a log that is not there each count as a failure.  Only
a test that reads the corpora may be skipped, where MUSTER_CORPORA leads to none: that is said, and not counted."""

import json
import os
import pathlib
import re
import sys
import xml.etree.ElementTree as xml

OK = re.compile(r"^\[ +OK +\] \S+", re.M)
FAILED = re.compile(r"^\[ +(?:FAILED|SKIPPED) +\] (?!\d+ test)(\S+)", re.M)
TOLD_BYTES = 4000
NEED_CORPORA = ["scep_messages"]


def lacks_corpora(test):
    absent = not pathlib.Path(os.environ.get("MUSTER_CORPORA", "")).is_dir()
    return absent and test["result"] == "SKIP" and test["name"] in NEED_CORPORA


def meson(path):
    passed = failed = 0
    for line in path.read_text().splitlines():
        test = json.loads(line)
        if lacks_corpora(test):
            sys.stderr.write(f"corpora absent: {test['name']} not run\n")
            continue
        said = test.get("stdout", "") + test.get("stderr", "")
        good = len(OK.findall(said))
        bad = len(set(FAILED.findall(said)))
        if test["result"] != "OK":
            bad = max(bad, 1)
            sys.stderr.write(f"--- {test['name']}: {test['result']}\n{said[-TOLD_BYTES:]}\n")
        elif good == 0:
            good = 1  # a program that does not count its tests is one
        passed, failed = passed + good, failed + bad
    return passed, failed


def junit(path):
    passed = failed = 0
    for case in xml.parse(path).iter("testcase"):
        trouble = [child for child in case if child.tag in ("failure", "error", "skipped")]
        if not trouble:
            passed += 1
            continue
        failed += 1
        text = trouble[0].text or trouble[0].get("message", "")
        sys.stderr.write(f"--- {case.get('classname')}.{case.get('name')}: {trouble[0].tag}\n{text[-TOLD_BYTES:]}\n")
    return passed, failed


def main(kind, name):
    path = pathlib.Path(name)
    if not path.exists():
        sys.stderr.write(f"--- {name} was not written: the tests did not run\n")
        print(0, 1)
        return
    passed, failed = {"meson": meson, "junit": junit}[kind](path)
    print(passed, failed or (0 if passed else 1))


if __name__ == "__main__":
    main(*sys.argv[1:])
