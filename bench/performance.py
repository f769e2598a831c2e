# SPDX-License-Identifier: Apache-2.0
"""Write what muster-bench found into doc/performance.md, with the machine named.

    performance.py doc/performance.md RESULT.json...
"""

import datetime
import json
import os
import pathlib
import re
import sys

ROWS = [
    ("certificates in the database before", "certificates_before", "{:,.0f}"),
    ("keep-alive connections", "connections", "{:.0f}"),
    ("enrolments, of which failed", None, None),
    ("**durable enrolments per second**", "enrolments_per_s", "**{:,.0f}**"),
    ("R, the raw crypto limit, per second", "limit_per_s", "{:,.0f}"),
    ("**ratio to R**", "ratio", "**{:.3f}**"),
    ("server CPU per enrolment, µs", "server_cpu_us", "{:.0f}"),
    ("of which mandatory crypto, µs", "crypto_cpu_us", "{:.0f}"),
    ("**outside of it, µs**", "overhead_us", "**{:.0f}**"),
    ("time to an answer, median, ms", "p50_ms", "{:.1f}"),
    ("time to an answer, 99th percentile, ms", "p99_ms", "{:.1f}"),
]


def machine():
    info = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", info, re.M)
    hertz = re.search(r"^cpu MHz\s*: (\d+)", info, re.M)
    memory = int(re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) // 1024 // 1024
    system = re.search(r'PRETTY_NAME="(.*)"', pathlib.Path("/etc/os-release").read_text())
    speed = f", {int(hertz[1]) / 1000:.1f} GHz" if hertz else ""
    return (f"{model[1] if model else os.uname().machine}{speed}, {os.cpu_count()} cores, {memory} GiB, "
            f"{system[1] if system else ''}, Linux {os.uname().release}")


def table(results):
    lines = ["| | " + " | ".join(["result"] * len(results)) + " |", "|---|" + "---:|" * len(results)]
    for title, key, form in ROWS:
        cells = [form.format(r[key]) if key else f"{r['count']:,}, {r['failures']}" for r in results]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return lines


def main(document, *paths):
    results = [json.loads(pathlib.Path(p).read_text()) for p in paths]
    first = results[0]
    text = [
        "<!-- scep -->",
        f"Measured {datetime.date.today()} by `script/bench scep` on: {machine()}; {first['openssl']}.",
        f"RSA-2048 authority and RA, {first['responders']} responders, the clients on the same machine.",
        "", *table(results),
    ]
    if len(results) > 1:
        change = results[-1]["ratio"] / results[-2]["ratio"] - 1
        text += ["", f"From the last column but one to the last the ratio changes by {100 * change:+.1f} %."]
    text.append("<!-- end scep -->")
    page = pathlib.Path(document)
    old = page.read_text()
    new, count = re.subn(r"<!-- scep -->.*?<!-- end scep -->", lambda _: "\n".join(text), old, flags=re.S)
    if count != 1:
        sys.exit(f"{document}: no <!-- scep --> ... <!-- end scep --> to be filled")
    page.write_text(new)


if __name__ == "__main__":
    main(*sys.argv[1:])
