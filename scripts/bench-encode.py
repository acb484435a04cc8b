#!/usr/bin/env python3
"""What prompts of 8 MB cost, and what a prompt of 10 KB waits beside sixteen of them. Needs built programs.

    $(scripts/integration-python.sh) scripts/bench-encode.py     programs of TOKENFACTORY_BIN, or of .build/release

Prints a table in Markdown. `alone` and `beside` are medians of the time to an answer of one token from the simulated
engine, so that what is left is reading, tokenizing and waiting.
"""

import json
import multiprocessing
import os
import pathlib
import statistics
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests" / "Integration"))

from cluster import Cluster  # noqa: E402
from doors import model, post  # noqa: E402

SIZE = 8_380_000
SENTENCE = "The quick brown fox jumps over the lazy dog and finds nothing there. "
TEXTS = {"sentences": SENTENCE, "spaces": " ", "one word": "x", "Chinese": "\u5929\u5730\u7384\u9ec4"}
TICKS = os.sysconf("SC_CLK_TCK")


def text(unit, size):
    return (unit * (size // len(unit.encode()) + 1))[:size // len(unit.encode()) * len(unit)]


def cpu(cluster):
    """Seconds of CPU that the stations have used."""
    def seconds(process):
        fields = pathlib.Path(f"/proc/{process.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS
    return sum(seconds(process) for process in cluster.processes.values())


def ask(cluster, name, prompt):
    began = time.monotonic()
    status, _, answer = post(cluster, "/v1/completions", request(name, prompt), timeout=300)
    return time.monotonic() - began, status, answer


def request(name, prompt):
    return json.dumps({"model": name, "prompt": prompt, "max_tokens": 1}, ensure_ascii=False).encode()


def flood(url, body, stop):
    """Sixteen clients that ask again and again, in a process of their own: the one that measures waits for none."""
    def ask_again():
        while not stop.is_set():
            try:
                urllib.request.urlopen(urllib.request.Request(
                    url, body, {"Content-Type": "application/json"}), timeout=300).read()
            except OSError:
                pass

    threads = [threading.Thread(target=ask_again, daemon=True) for _ in range(16)]
    for thread in threads:
        thread.start()
    stop.wait()


def refusals(cluster, name):
    print("| 8 MB of | status | CPU of all stations | time |\n|---|---|---|---|")
    for what, unit in TEXTS.items():
        prompt = text(unit, SIZE)
        before = cpu(cluster)
        elapsed, status, _ = ask(cluster, name, prompt)
        print(f"| {what} | {status} | {(cpu(cluster) - before) * 1000:.0f} ms | {elapsed * 1000:.0f} ms |")


def beside(cluster, name, unit):
    small = text(SENTENCE, 10_000)
    alone = statistics.median(ask(cluster, name, small)[0] for _ in range(15))
    stop = multiprocessing.Event()
    crowd = multiprocessing.Process(
        target=flood, args=(cluster.http + "/v1/completions", request(name, text(unit, SIZE)), stop))
    crowd.start()
    time.sleep(3)  # Until all sixteen are under way; what is measured does not depend on it.
    times = [ask(cluster, name, small)[0] for _ in range(15)]
    stop.set()
    crowd.join(10)
    return alone, statistics.median(times), max(times)


def main():
    for length, what in ((8192, "refused at the door"), (1 << 20, "tokenized, as far as they fit")):
        options = ["--context", str(min(2 * length, 1 << 20)), "--context-length", str(length)]
        with tempfile.TemporaryDirectory() as folder, Cluster(folder, worker_options=options) as cluster:
            name = model(cluster)
            print(f"\nA context of {length:,} tokens: {what}.\n")
            refusals(cluster, name)
            print("\n| 10 KB beside sixteen of 8 MB of | alone | beside | worst |\n|---|---|---|---|")
            for kind in ("sentences", "spaces"):
                alone, median, worst = beside(cluster, name, TEXTS[kind])
                times = " | ".join(f"{1000 * seconds:.1f} ms" for seconds in (alone, median, worst))
                print(f"| {kind} | {times} |", flush=True)


if __name__ == "__main__":
    main()
