"""Processes die, hang, restart and leave: nothing is lost, nothing is told twice, the ledger adds up."""

import json
import signal
import socket
import threading

import pytest
import zmq

from cluster import await_state, get
from doors import chat, model, new_id, post, together

PROMPTS = [f"A long answer about subject {i}, please." for i in range(6)]


def answers(cluster, tokens, ids=None):
    ids = ids or [new_id() for _ in PROMPTS]
    return together([
        lambda p=p, i=i: chat(cluster, p, stream=True, request_id=i, max_tokens=tokens, temperature=0)
        for p, i in zip(PROMPTS, ids)])


def during(cluster, tokens, act, ids=None):
    """Runs the prompts, and `act` once all of them are under way."""
    ids = ids or [new_id() for _ in PROMPTS]
    result = []
    thread = threading.Thread(target=lambda: result.append(answers(cluster, tokens, ids)))
    thread.start()
    try:
        act()
    finally:
        thread.join(120)
    assert result, "the streams did not end"
    return result[0], ids


def holds(cluster, process):
    """Whether a worker or tokenizer holds requests."""
    name = {"inference-worker": "worker", "tokenizer": "tokenizer"}[process.program]
    return cluster.metrics(process).get(f"tokenfactory_{name}_requests_held", 0) > 0


def busy(cluster, process):
    await_state(f"{process.name} holds work", lambda: holds(cluster, process))


def holder(cluster, program):
    """The first process of a program that holds requests: which of several gets them is not the test's to say."""
    return await_state(f"one {program} holds work", lambda: next(
        (p for p in cluster.names(program) if holds(cluster, p)), None))


@pytest.fixture
def expected(start):
    return [text for text, _, _ in answers(start(workers=1), 400)]


def test_kill_one_of_two_workers_mid_stream(start, expected):
    cluster = start(workers=2, time_scale=1.0)

    def kill():
        holder(cluster, "inference-worker").kill()

    got, ids = during(cluster, 400, kill)
    assert [text for text, _, _ in got] == expected
    for request_id in ids:
        assert cluster.await_settled(request_id)["delivered_tokens"] == 400
    cluster.audit()


def test_a_hung_worker_is_left_and_may_come_back(start, expected):
    cluster = start(workers=2, time_scale=1.0)
    hung = []

    def hang():
        hung.append(holder(cluster, "inference-worker"))
        hung[0].child.send_signal(signal.SIGSTOP)

    got, ids = during(cluster, 400, hang)
    hung[0].child.send_signal(signal.SIGCONT)
    assert [text for text, _, _ in got] == expected
    for request_id in ids:
        cluster.await_settled(request_id)
    assert chat(cluster, "again", max_tokens=4)[2].completion_tokens == 4
    cluster.audit()


def test_kill_one_of_two_tokenizers_mid_stream(start, expected):
    cluster = start(workers=2, tokenizers=2, time_scale=1.0)

    def kill():
        holder(cluster, "tokenizer").kill()

    got, ids = during(cluster, 400, kill)
    assert [text for text, _, _ in got] == expected
    for request_id in ids:
        cluster.await_settled(request_id)
    cluster.audit()


def test_kill_ingest_and_the_line_lets_go(start):
    """What the client had got is settled by whoever takes the spool over; nobody works on."""
    cluster = start(workers=1, time_scale=1.0, accounting_options=["--reservation-ttl", "2s"])
    ingest, worker = cluster.processes["ingest-0"], cluster.processes["worker-0"]
    request_id = new_id()
    pieces = threading.Semaphore(0)
    thread = threading.Thread(target=lambda: _swallow(
        lambda: chat(cluster, "gone", stream=True, request_id=request_id, max_tokens=5000, on_text=pieces.release)))
    thread.start()
    for _ in range(5):
        assert pieces.acquire(timeout=60), "no text came"
    ingest.kill()
    thread.join(30)
    await_state("the worker holds nothing", lambda: all(
        value == 0 for name, value in cluster.metrics(worker).items()
        if name.startswith("tokenfactory_worker_requests_held")))
    assert cluster.await_settled(request_id, states=("settled",))["billed_tokens"] > 0
    cluster.audit()


def _swallow(function):
    try:
        function()
    except Exception:  # the connection is meant to break
        pass


def test_accounting_dies_and_every_event_is_there_afterwards(start):
    cluster = start(workers=1)
    cluster.accounting.kill()
    ids = [new_id() for _ in range(10)]
    for request_id in ids:
        chat(cluster, "while the ledger is away", request_id=request_id, max_tokens=8)
    cluster.accounting.start()
    cluster.accounting.endpoints
    for request_id in ids:
        assert cluster.await_settled(request_id)["delivered_tokens"] == 8
    cluster.audit()


def test_a_dropped_connection_cancels_and_is_priced(start):
    cluster = start(workers=1, time_scale=1.0)
    request_id = new_id()
    host, port = cluster.http.removeprefix("http://").split(":")
    body = ('{"model":"%s","stream":true,"max_tokens":4000,"messages":[{"role":"user","content":"go on"}]}'
            % model(cluster)).encode()
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Request-ID: "
            + request_id.encode() + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        seen = b""
        while seen.count(b"data:") < 3:
            seen += connection.recv(4096)
    row = cluster.await_settled(request_id)
    assert row["outcome"] == "cancelled" and 0 < row["delivered_tokens"] < 4000
    cluster.audit()


def test_an_answer_that_nobody_reads_is_billed_as_far_as_it_was_sent(start):
    tokens = 200_000
    cluster = start(worker_options=["--context", "262144", "--context-length", "262144"])
    ingest = cluster.names("ingest")[0]
    request_id = new_id()
    host, port = cluster.http.removeprefix("http://").split(":")
    body = ('{"model":"%s","stream":true,"max_tokens":%d,"ignore_eos":true,"prompt":[1,2,3]}'
            % (model(cluster), tokens)).encode()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((host, int(port)))
        connection.sendall(
            b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Request-ID: "
            + request_id.encode() + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await_state("the answer waits for its client", lambda: cluster.metrics(
            ingest, "http").get("tokenfactory_ingest_answers_unread") == 1)
        cluster.await_settled(request_id, states=["reserved"])
    row = cluster.await_settled(request_id)
    assert row["outcome"] == "cancelled" and 0 < row["delivered_tokens"] < row["produced_tokens"] == tokens
    cluster.audit()


def test_drain_hands_over_and_exits_zero(start, expected):
    cluster = start(workers=2, time_scale=1.0)
    leavers = []

    def leave():
        leavers.append(holder(cluster, "inference-worker"))
        leavers[0].terminate()

    got, ids = during(cluster, 400, leave)
    assert [text for text, _, _ in got] == expected
    assert leavers[0].wait() == 0
    for request_id in ids:
        cluster.await_settled(request_id)
    cluster.audit()


@pytest.mark.parametrize("program", ["inference-worker", "tokenizer"])
def test_what_is_not_done_at_the_bound_is_handed_back(start, expected, program):
    soon = ["--drain-seconds", "0.2"]
    cluster = start(workers=2, tokenizers=2, time_scale=1.0, tokenizer_options=soon, worker_options=soon)
    leavers = []

    def leave():
        leavers.append(holder(cluster, program))
        leavers[0].terminate()

    got, ids = during(cluster, 400, leave)
    assert [text for text, _, _ in got] == expected
    assert leavers[0].wait() == 0
    for request_id in ids:
        assert cluster.await_settled(request_id)["delivered_tokens"] == 400
    cluster.audit()


def test_the_same_label_asked_again_after_the_ingest_died(start):
    """A label names nothing that is done once: both are operations of their own, and each has its own end."""
    cluster = start(workers=1, ingests=2, time_scale=1.0, accounting_options=["--reservation-ttl", "2s"])
    worker = cluster.processes["worker-0"]
    label = new_id()
    thread = threading.Thread(target=lambda: _swallow(
        lambda: chat(cluster, "again", stream=True, request_id=label, max_tokens=5000)))
    thread.start()
    busy(cluster, worker)
    cluster.processes["ingest-0"].kill()
    thread.join(30)
    del cluster.processes["ingest-0"]
    await_state("the other ingest has the line", lambda: get(cluster.http + "/healthz")[0] == 200)
    _, _, usage = chat(cluster, "again", request_id=label, max_tokens=200)
    assert usage.completion_tokens == 200

    def rows():
        found = json.loads(get(f"{cluster.ledger}/v1/requests?tenant=default&label={label}")[1])
        return found if len(found) == 2 and all(row["state"] != "reserved" for row in found) else None

    later, first = await_state("both have ended", rows)
    assert (later["state"], later["billed_tokens"]) == ("settled", 200)
    assert first["state"] in ("settled", "expired") and first["request_id"] != later["request_id"]
    cluster.audit()


def test_workers_that_join_late_get_work(start):
    cluster = start(workers=1, slots=4, time_scale=1.0)
    late = cluster.add_worker()
    late.endpoints
    got, _ = during(cluster, 300, lambda: busy(cluster, late))
    assert all(reason == "length" for _, reason, _ in got)


def test_overload_is_told_at_the_door(start):
    cluster = start(workers=1, slots=1, time_scale=1.0, admission=2)
    body = {"model": model(cluster), "messages": [{"role": "user", "content": "hi"}], "max_tokens": 300}
    results = together([lambda: post(cluster, "/v1/chat/completions", body, timeout=60) for _ in range(24)])
    statuses = [status for status, _, _ in results]
    assert 429 in statuses and 200 in statuses and set(statuses) <= {200, 429}
    assert all(headers["Retry-After"] for status, headers, _ in results if status == 429)


def test_requests_that_fit_no_frame_cost_nobody_room(start):
    cluster = start(workers=1, slots=4)
    body = {"model": model(cluster), "max_tokens": 4,
            "messages": [{"role": "user", "content": "x"}] * 2100}
    for _ in range(40):
        status, _, answer = post(cluster, "/v1/chat/completions", body)
        assert status == 400, answer
    assert chat(cluster, "still there?", max_tokens=4)[2].completion_tokens == 4
    cluster.audit()


def test_names_are_dialled_also_where_two_ports_share_one(start):
    cluster = start(workers=1)
    first = cluster.processes["worker-0"]
    options = {"--tokenizer": cluster.names("tokenizer")[0].endpoints["worker-link"],
               "--accounting": cluster.ledger_link}
    named = cluster.add("inference-worker", "worker-named", [
        "--admin", "127.0.0.1:0", "--engine", "simulated", "--time-scale", "0",
        *[word for name, address in options.items() for word in (name, address.replace("127.0.0.1", "localhost"))]])
    named.endpoints
    await_state("the worker has a session", lambda: get(f"http://{named.endpoints['admin']}/healthz")[0] == 200)
    first.terminate()
    assert first.wait() == 0
    request_id = new_id()
    chat(cluster, "By name.", request_id=request_id, max_tokens=4)
    await_state("the worker's record is in the ledger",
                lambda: (cluster.request_state(request_id) or {}).get("attempts") == 1)
    cluster.audit()


def test_garbage_on_every_port_harms_nobody(start):
    cluster = start(workers=1)
    context = zmq.Context()
    ports = [cluster.door, cluster.names("ingest")[0].endpoints["tokenizer-link"],
             cluster.names("tokenizer")[0].endpoints["worker-link"], cluster.ledger_link]
    for port in ports:
        for routing in (b"\x01\x02\x03\x04\x05\x06\x07\x08", b"odd", None):
            dealer = context.socket(zmq.DEALER)
            dealer.linger = 500
            if routing:
                dealer.routing_id = routing
            dealer.connect(port)
            for frame in (b"", b"TF", b"\0" * 32, b"TF\x01\x01" + b"\xff" * 28, b"x" * 100_000):
                dealer.send(frame)
            dealer.send_multipart([b"a", b"b", b"c"])
            dealer.close()
        host, number = port.removeprefix("tcp://").split(":")
        with socket.create_connection((host, int(number))) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n" * 10)
    half_open = socket.create_connection((cluster.door.split("//")[1].split(":")[0], int(cluster.door.split(":")[-1])))
    assert chat(cluster, "still there?", max_tokens=4)[2].completion_tokens == 4
    half_open.close()
    context.destroy(0)
    assert all(process.alive for process in cluster.processes.values())
    assert get(cluster.http + "/healthz")[0] == 200


def test_health_knows_when_the_line_is_cut(start):
    cluster = start(workers=1)
    assert get(cluster.http + "/healthz")[0] == 200
    cluster.processes["worker-0"].kill()
    await_state("healthz tells", lambda: get(cluster.http + "/healthz")[0] == 503)
    assert get(cluster.http + "/livez")[0] == 200
    cluster.add_worker().endpoints
    await_state("healthz is well again", lambda: get(cluster.http + "/healthz")[0] == 200)


def test_what_nobody_takes_fails_in_time_and_costs_nothing(start):
    cluster = start(workers=1, ingest_options=["--waiting", "500ms"])
    served = model(cluster)
    cluster.processes["worker-0"].kill()
    await_state("the tokenizer noticed", lambda: get(cluster.http + "/healthz")[0] == 503)
    request_id = new_id()
    body = {"model": served, "messages": [{"role": "user", "content": "anyone?"}], "max_tokens": 4}
    status, headers, answer = post(cluster, "/v1/chat/completions", body, headers={"X-Request-ID": request_id})
    assert status == 503 and headers["Retry-After"] and "retry" in answer["error"]["message"]
    assert cluster.await_settled(request_id)["state"] == "void"
    cluster.audit()
