"""A station that cannot record takes no work, says so, and goes on by itself; nothing is served for nothing."""

import os
import subprocess
import threading

import pytest

from cluster import await_state, get
from doors import chat, model, new_id, post


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of its own; skipped where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True).returncode == 0
    if not mounted:
        pytest.skip("a disk of its own cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder):
    with open(folder / "filler", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            pass


def test_a_full_disk_serves_nothing_and_loses_nothing(start, small_disk):
    cluster = start(workers=1, ingest_options=["--spool-directory", str(small_disk)])
    name = model(cluster)
    fill(small_disk)
    label, answers = new_id(), []
    first = threading.Thread(target=lambda: answers.append(chat(cluster, "kept", request_id=label, max_tokens=8)))
    first.start()
    # The first event that does not fit is found by writing it: from then on nobody is admitted.
    body = {"model": name, "prompt": "refused", "max_tokens": 4}
    await_state("the ingest says that it is not well", lambda: get(cluster.http + "/healthz")[0] == 503)
    for _ in range(20):
        status, _, answer = post(cluster, "/v1/completions", body)
        assert status == 503 and "record" in answer["error"]["message"], answer
    assert b"spool" in get(cluster.http + "/healthz")[1]
    assert not answers, "an answer went out that is not recorded"
    (small_disk / "filler").unlink()
    first.join(60)
    assert answers and answers[0][2].completion_tokens == 8
    await_state("it is well again", lambda: get(cluster.http + "/healthz")[0] == 200)
    assert post(cluster, "/v1/completions", body)[0] == 200
    assert cluster.await_settled(label)["billed_tokens"] == 8
    ingest = cluster.names("ingest")[0]
    assert cluster.metrics(ingest, "http")["tokenfactory_ingest_ledger_events_lost_total"] == 0
    cluster.audit()
