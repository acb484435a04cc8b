"""Stations of wire versions 1 and 2 in one line, which is upgraded station by station under load.

The older side is this build told to speak version 1; with TOKENFACTORY_OLD_BIN, a folder of programs that know no
other version, it is those.
"""

import itertools
import os
import threading

import pytest

from cluster import BIN, await_state
from doors import chat, model, openai_client

OLD = os.environ.get("TOKENFACTORY_OLD_BIN")
PROGRAMS = ["accounting", "ingest", "tokenizer", "inference-worker"]


def start_old(start):
    """A line of which every station is old. None is made old later: an older accounting opens no newer ledger."""
    if OLD:
        return start(time_scale=1.0, programs=OLD)
    old = ["--protocol-version", "1"]
    return start(time_scale=1.0, ingest_options=old, tokenizer_options=old, worker_options=old, accounting_options=old)


def make_new(process):
    """The process, from its next start on, is of this build and speaks what it likes."""
    process.arguments[0] = str(BIN / process.program)
    if "--protocol-version" in process.arguments:
        index = process.arguments.index("--protocol-version")
        del process.arguments[index:index + 2]


def restart(cluster, process):
    process.terminate()
    process.wait(40)
    process.start().endpoints
    cluster.await_ready()


def with_fixed_ports(cluster):
    """A restart must come back at the same place, since the stations below know no other."""
    for process in cluster.processes.values():
        for name, address in process.endpoints.items():
            flag = "--" + name
            if flag in process.arguments:
                process.arguments[process.arguments.index(flag) + 1] = address


@pytest.mark.parametrize("order", [PROGRAMS, PROGRAMS[::-1]], ids=["ledger first", "worker first"])
def test_a_line_is_upgraded_station_by_station_under_load(start, order):
    cluster = start_old(start)
    with_fixed_ports(cluster)
    expected = chat(cluster, "Something long.", max_tokens=60, temperature=0)[0]
    name = model(cluster)
    stop, answers, refused = threading.Event(), [], []

    def load():
        while not stop.is_set():
            try:
                answer = openai_client(cluster).chat.completions.create(
                    model=name, messages=[{"role": "user", "content": "Something long."}], max_tokens=60,
                    temperature=0, extra_body={"ignore_eos": True})
                answers.append(answer.choices[0].message.content)
            except Exception as error:  # a door that restarts refuses connections
                refused.append(str(error))
                stop.wait(0.2)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for program in order:
            before = len(answers)
            await_state(f"answers before {program} is upgraded", lambda before=before: len(answers) > before + 4)
            for process in cluster.names(program):
                make_new(process)
                restart(cluster, process)
        before = len(answers)
        await_state("answers of the new line", lambda before=before: len(answers) > before + 4)
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert set(answers) == {expected}, set(itertools.islice(set(answers), 3))
    cluster.audit()
