#!/usr/bin/env python3
"""The longest that one frame of each kind, at its limits, holds the reactor of each station. Needs built programs.

    $(scripts/integration-python.sh) scripts/bench-reactors.py     programs of TOKENFACTORY_BIN, or of .build/release

Sends what costs most at the ZeroMQ door, each four times, and prints the stations' own gauges as a table in Markdown.
"""

import pathlib
import re
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests" / "Integration"))

from cluster import Cluster  # noqa: E402
from doors import model  # noqa: E402
from test_bounds import KEYED, LONG_CONTEXT, WORST, over_zeromq  # noqa: E402

SUBMIT = "tokenfactory_ingest_client_door_longest_submit_seconds"


def main():
    measure(WORST, [])
    # Otherwise it would be refused for its length before the whole of it was read.
    measure(KEYED, LONG_CONTEXT)


def measure(requests, worker_options):
    with tempfile.TemporaryDirectory() as folder, Cluster(folder, worker_options=worker_options) as cluster:
        name = model(cluster)
        for what, request in requests.items():
            answers = {over_zeromq(cluster, name, **request) for _ in range(4)}
            longest = cluster.metrics(cluster.processes["ingest-0"], "http").get(SUBMIT, 0)
            print(f"{what}: {', '.join(sorted(answers))}; submit so far {longest * 1000:.1f} ms", file=sys.stderr)
        time.sleep(0.5)  # The gauges are stated ten times a second.
        print("| station | link | frame | longest |\n|---|---|---|---|")
        for process in cluster.processes.values():
            key = "http" if process.program in ("ingest", "accounting") else "admin"
            for metric, value in sorted(cluster.metrics(process, key).items()):
                found = re.match(r"tokenfactory_[a-z]+_(\w+_(?:door|link))_longest_(\w+)_seconds$", metric)
                if found:
                    print(f"| {process.program} | {found[1]} | {found[2]} | {value * 1000:.2f} ms |")


if __name__ == "__main__":
    main()
