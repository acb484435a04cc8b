"""A station that cannot record takes no work, says so, and goes on by itself; nothing is served for nothing."""

import http.client
import json
import os
import socket
import subprocess
import threading

import pytest

from cluster import await_state, get
from doors import model, new_id, post, together


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
    """What runs when the disk fills up is recorded, in room that was set aside; nothing else is taken meanwhile."""
    cluster = start(workers=1, time_scale=1.0, ingest_options=[
        "--spool-directory", str(small_disk), "--spool-segment", "64KiB"])
    name = model(cluster)
    labels = [new_id() for _ in range(8)]
    streams = [streaming(cluster, label, tokens=400) for label in labels]
    await_state("every stream has tokens", lambda: all(got[0] > 0 for _, got in streams))
    fill(small_disk)
    for reader, got in streams:
        reader.join(60)
        assert got == [400]
    for label in labels:
        rows = await_state("it is settled", lambda label=label: settled_of(cluster, label))
        assert [row["billed_tokens"] for row in rows] == [400]
    # While accounting is away, nothing that stands in the spool makes room.
    cluster.accounting.kill()
    fill(small_disk)
    body = {"model": name, "prompt": [1, 2, 3], "max_tokens": 4}

    def refused():
        # So much goes through the spool that its next segment is needed, and then the one after.
        answers = together([lambda: post(cluster, "/v1/completions", body)] * 64)
        return any(status == 503 and "record" in answer["error"]["message"] for status, _, answer in answers)

    await_state("nothing more is taken", refused)
    for _ in range(20):
        status, _, answer = post(cluster, "/v1/completions", body)
        assert status == 503 and "record" in answer["error"]["message"], answer
    status, text = get(cluster.http + "/healthz")
    assert status == 503 and b"spool" in text
    (small_disk / "filler").unlink()
    cluster.accounting.start()
    await_state("it is well again", lambda: get(cluster.http + "/healthz")[0] == 200)
    assert post(cluster, "/v1/completions", body)[0] == 200
    ingest = cluster.names("ingest")[0]
    assert cluster.metrics(ingest, "http")["tokenfactory_ingest_ledger_events_lost_total"] == 0
    cluster.audit()


def streaming(cluster, label, tokens=100_000):
    """A raw stream of whole tokens, and a function that says how many came before it broke off."""
    url = cluster.http.removeprefix("http://")
    connection = http.client.HTTPConnection(url, timeout=30)
    body = json.dumps({"model": model(cluster), "prompt": [1, 2, 3], "stream": True, "max_tokens": tokens,
                       "ignore_eos": True, "stream_options": {"include_usage": True, "continuous_usage_stats": True}})
    connection.request("POST", "/v1/completions", body, {"Content-Type": "application/json", "X-Request-ID": label})
    answer = connection.getresponse()
    assert answer.status == 200
    got = [0]

    def read():
        try:
            for line in answer:
                if line.startswith(b"data: {"):
                    got[0] = json.loads(line[6:])["usage"]["completion_tokens"]
        except (OSError, http.client.HTTPException, ValueError):
            pass

    reader = threading.Thread(target=read)
    reader.start()
    return reader, got


def settled_of(cluster, label):
    status, body = get(f"{cluster.ledger}/v1/requests?tenant=default&label={label}")
    rows = json.loads(body) if status == 200 else []
    return [row for row in rows if row["state"] in ("settled", "void", "expired")]


@pytest.mark.parametrize("shares_disk", [True, False], ids=["accounting sees the spool", "no common disk"])
def test_an_ingest_that_is_killed_in_mid_stream_loses_no_revenue(start, tmp_path, shares_disk):
    """What clients had got is settled by whoever takes the spool over: accounting, or the ingest's next life."""
    own = [] if shares_disk else ["--spool-directory", str(tmp_path / "ingest-disk")]
    cluster = start(workers=1, time_scale=1.0, ingest_options=own)
    labels = [new_id() for _ in range(8)]
    streams = [streaming(cluster, label) for label in labels]
    await_state("every stream has tokens", lambda: all(got[0] > 20 for _, got in streams))
    ingest = cluster.processes["ingest-0"]
    ingest.kill()
    for reader, _ in streams:
        reader.join(30)
    if not shares_disk:
        assert not any(settled_of(cluster, label) for label in labels)
        ingest.start()
    for label, (_, got) in zip(labels, streams):
        rows = await_state(f"{label} is settled", lambda label=label: settled_of(cluster, label))
        assert len(rows) == 1 and rows[0]["state"] == "settled", rows
        # The last frames may have been on their way.
        assert abs(rows[0]["billed_tokens"] - got[0]) <= 16, (rows[0], got[0])
        assert rows[0]["prompt_tokens"] == 3
    folder = tmp_path / "ingest-disk" / "ingest"
    if not shares_disk:
        assert folder.stat().st_mode & 0o777 == 0o700
        await_state("the old life's files are gone", lambda: len(list(folder.glob("*.lock"))) == 1)
        cluster.audit()


@pytest.mark.parametrize("station", ["tokenizer", "worker"])
def test_a_station_below_that_cannot_record_gets_no_work(start, small_disk, station):
    options = {f"{station}_options": ["--spool-directory", str(small_disk)]}
    cluster = start(workers=1, slots=64, ingest_options=["--waiting", "1s"], **options)
    name = model(cluster)
    body = {"model": name, "prompt": [1, 2, 3], "max_tokens": 4}
    assert post(cluster, "/v1/completions", body)[0] == 200
    process = cluster.processes[f"{station}-0"]
    if station == "tokenizer":
        # Its worker finds it again where it was.
        at = process.arguments.index("--worker-link") + 1
        process.arguments[at] = process.endpoints["worker-link"]
    # What it leaves unsent would be replayed by its next life, and make room.
    await_state("its events are in the ledger", lambda: all(
        value == 0 for metric, value in cluster.metrics(process).items() if metric.endswith("ledger_events_pending")))
    process.terminate()
    assert process.wait() == 0
    assert not list((small_disk / ("tokenizer" if station == "tokenizer" else "inference-worker")).iterdir())
    fill(small_disk)
    process.start()
    admin = "http://" + process.endpoints["admin"]
    await_state("it says that it is not well", lambda: b"spool" in get(admin + "/healthz")[1])
    assert get(admin + "/healthz")[0] == 503
    assert post(cluster, "/v1/completions", body)[0] == 503
    (small_disk / "filler").unlink()
    await_state("it is well again", lambda: get(admin + "/healthz")[0] == 200)
    await_state("it works again", lambda: post(cluster, "/v1/completions", body)[0] == 200)
    cluster.audit()
    for process, key in [(cluster.processes[f"{station}-0"], "admin"), (cluster.processes["ingest-0"], "http")]:
        metrics = cluster.metrics(process, key)
        lost = [value for metric, value in metrics.items() if metric.endswith("events_lost_total")]
        assert lost == [0]


def test_descriptors_used_up_lose_no_event(start):
    """Idle connections of strangers take what descriptors there are; what is served meanwhile is recorded."""
    cluster = start(workers=1, descriptors={"ingest": 400})
    body = json.dumps({"model": model(cluster), "prompt": [1, 2, 3], "max_tokens": 4})
    host, port = cluster.http.removeprefix("http://").split(":")
    kept = http.client.HTTPConnection(host, int(port), timeout=30)

    def ask(label):
        kept.request("POST", "/v1/completions", body, {"Content-Type": "application/json", "X-Request-ID": label})
        answer = kept.getresponse()
        answer.read()
        return answer.status

    assert ask(new_id()) == 200
    door = cluster.door.removeprefix("tcp://").split(":")
    idle = []
    for at in [(host, int(port)), (door[0], int(door[1]))]:
        for _ in range(400):
            try:
                idle.append(socket.create_connection(at, timeout=0.2))
            except OSError:
                break
    assert len(idle) > 100
    labels = [new_id() for _ in range(200)]
    statuses = [ask(label) for label in labels]
    assert set(statuses) == {200}
    for connection in idle:
        connection.close()
    await_state("it is well", lambda: get(cluster.http + "/healthz")[0] == 200)
    for label in labels:
        assert cluster.await_settled(label)["billed_tokens"] == 4
    assert cluster.metrics(cluster.processes["ingest-0"], "http")["tokenfactory_ingest_ledger_events_lost_total"] == 0
    cluster.audit()
