"""What counts as delivered at the ZeroMQ door, and what an id, a label, a key and a deadline do there."""

import os
import sqlite3
import struct
import time

import zmq

from cluster import await_state, get
from doors import model, python_client

WINDOW = 256 << 10
client_module = python_client()


class OldClient:
    """A client of version 1, which never acknowledges; `reads` says whether it reads and answers heartbeats."""

    def __init__(self, address):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.ROUTING_ID, b"\x01" + os.urandom(7))
        self.socket.setsockopt(zmq.RCVHWM, 0)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(address)
        self.session, self.sequence, self.tokens = 0, 0, 0
        self.send(1, struct.pack("<BBBxI8sII", 1, 1, 1, 1, os.urandom(8), 0, 0), struct.pack("<II", 0, 0))
        frame = self.socket.recv()
        assert frame[2] == 1 and frame[3] == 2, frame[:4]
        self.session = struct.unpack_from("<I", frame, 36)[0]

    def send(self, kind, block, parts=b""):
        if kind != 1:
            self.sequence += 1
        self.socket.send(struct.pack("<2sBBHHIIQQ", b"TF", 1, kind, 0, len(block), len(block) + len(parts),
                                     self.session, self.sequence, time.monotonic_ns()) + block + parts)

    def submit(self, handle, max_tokens, label=bytes(16)):
        block = struct.pack("<IBBBx16s", handle, 3, 1, 1, label)
        block += struct.pack("<QfffIfffII??2x", 7, 0, 1, 0, 0, 1, 0, 0, max_tokens, 0, True, False)
        none = struct.pack("<I", 0)
        self.send(32, block, none + none + none + struct.pack("<I3I", 3, 5, 6, 7) + none)

    def read(self, deadline=60):
        """Reads until the end of an answer, as the frames come; the row's finish."""
        end = time.monotonic() + deadline
        while time.monotonic() < end:
            if not self.socket.poll(1000):
                continue
            frame = self.socket.recv()
            assert frame[2] == 1
            if frame[3] == 4:
                sent_at = frame[24:32]
                self.send(5, sent_at + struct.pack("<QQII", time.monotonic_ns(), 0, 0, 0))
            if frame[3] != 33:
                continue
            (count,) = struct.unpack_from("<I", frame, 48)
            for index in range(count):
                tokens, status, finish = struct.unpack_from("<HHB", frame, 52 + 28 * index + 20)
                self.tokens += tokens
                if finish:
                    return finish
        raise AssertionError("no end")


def requests(cluster):
    database = sqlite3.connect(f"file:{cluster.database}?mode=ro", uri=True, timeout=10)
    try:
        return database.execute("select state, delivered from request order by id").fetchall()
    finally:
        database.close()


def long_line(start):
    return start(worker_options=["--context", "262144", "--context-length", "262144"])


def test_a_client_that_never_reads_pays_for_one_window(start):
    cluster = long_line(start)
    client = OldClient(cluster.door)
    client.submit(1, 200_000)
    # It answers no heartbeat, so its session ends by silence.
    rows = await_state("the request has ended", lambda: [r for r in requests(cluster) if r[0] != 0])
    assert len(rows) == 1 and rows[0][0] == 1
    # A token takes at least its id of 4 bytes.
    assert 0 < rows[0][1] <= WINDOW // 4, rows
    cluster.audit()


def test_a_client_that_reads_and_never_acknowledges_pays_for_all(start):
    cluster = long_line(start)
    client = OldClient(cluster.door)
    client.submit(1, 100_000)
    assert client.read() == 2 and client.tokens == 100_000
    rows = await_state("the request is settled", lambda: [r for r in requests(cluster) if r[0] != 0])
    assert rows == [(1, 100_000)]
    cluster.audit()


def test_an_acknowledgement_opens_the_window_and_lowers_no_bill(start):
    cluster = long_line(start)
    client = client_module.Client(cluster.door, 10)
    assert client.window == WINDOW
    client.submit(1, model(cluster), [("user", "go on")], 0, 0)
    generated = 0
    for _, finish, status, _, usage in client.rows():
        assert finish != "failed", status
        generated = usage["generated"]
        if finish != "none":
            break
    assert generated > 20_000
    rows = await_state("the request is settled", lambda: [r for r in requests(cluster) if r[0] != 0])
    assert rows == [(1, generated)]
    cluster.audit()


def test_an_acknowledgement_of_what_was_never_sent_ends_the_session(start):
    cluster = start()
    client = client_module.Client(cluster.door, 10)
    client._send(client_module.TRAY_ACK, struct.pack("<Q", 99))
    try:
        next(client.rows())
        raise AssertionError("a row")
    except client_module.Failure as failure:
        assert "protocolViolation" in str(failure)


def test_an_id_of_the_clients_buys_nothing_twice(start):
    """A voided id that is sent again was served and billed 0; now ids are ingest's, and the client's is a label."""
    cluster = start(ingests=2)
    label = os.urandom(16)
    total = 0
    for ingest in cluster.names("ingest"):
        client = OldClient(ingest.endpoints["client-door"])
        client.submit(1, 1_000_000, label)
        assert client.read() in (2, 4)
        client.submit(2, 50, label)
        assert client.read() == 2
        total += client.tokens
    rows = await_state("all have ended", lambda: (lambda rows: len(rows) == 4 and all(r[0] for r in rows) and rows)(
        requests(cluster)))
    assert sum(delivered for state, delivered in rows if state == 1) == total
    cluster.audit()


def test_an_idempotency_key_is_served_once(start):
    cluster = start(time_scale=0.0)
    client = client_module.Client(cluster.door, 10)
    name = model(cluster)

    def ask(handle, key, tokens=16, text="once"):
        client.submit(handle, name, [("user", text)], tokens, 0, label="a label", idempotency_key=key)
        for row_handle, finish, status, message, usage in client.rows():
            if row_handle == handle and finish != "none":
                return finish, status, message, usage["generated"]

    assert ask(1, "order-1")[0] == "length"
    finish, status, message, _ = ask(2, "order-1")
    assert (finish, status) == ("failed", "conflict") and "16 tokens" in message, message
    assert ask(3, "order-1", text="another")[:2] == ("failed", "keyMismatch")
    assert ask(4, "order-2")[0] == "length"
    await_state("both are in the ledger", lambda: len(requests(cluster)) == 2)
    cluster.accounting.kill()
    await_state("the ledger is away", lambda: ask(next(HANDLES), f"order-{time.monotonic_ns()}")[1] == "unavailable")
    # Without a key it goes on.
    client.submit(900, name, [("user", "on")], 4, 0)
    assert next(row for row in client.rows() if row[0] == 900 and row[1] != "none")[1] == "length"
    cluster.accounting.start()
    await_state("the ledger is back", lambda: get(cluster.ledger + "/livez")[0] == 200)
    finish, status, _, _ = await_state("keys work again", lambda: (
        lambda answer: answer if answer[1] != "unavailable" else None)(ask(next(HANDLES), "order-1")))
    assert (finish, status) == ("failed", "conflict")
    cluster.audit()


HANDLES = iter(range(1000, 100_000))


def test_a_deadline_ends_a_request_that_takes_longer(start):
    cluster = start(time_scale=1.0)
    client = client_module.Client(cluster.door, 10)
    client.submit(1, model(cluster), [("user", "go on")], 7000, 0, timeout=1)
    text = 0
    for _, finish, status, _, usage in client.rows():
        if finish == "failed":
            assert status == "deadlineExceeded"
            break
        text = usage["generated"]
    assert finish == "failed"
    rows = await_state("the request has ended", lambda: [r for r in requests(cluster) if r[0] != 0])
    # What came before is billed.
    assert rows == [(1, text)]
    cluster.audit()


def test_a_prompt_that_cannot_fit_is_refused_before_it_is_tokenized(start):
    cluster = start()
    client = client_module.Client(cluster.door, 10)
    tokenizer = cluster.names("tokenizer")[0]
    name = model(cluster)
    by_tokenizer = 0

    # Ingest learns the context with a heartbeat's answer; until then the tokenizer refuses.
    def refused():
        nonlocal by_tokenizer
        handle = next(HANDLES)
        client.submit(handle, name, [("user", " " * (6 << 20))], 1, 0)
        row = next(row for row in client.rows() if row[0] == handle)
        assert row[1] == "failed" and row[2] == "promptTooLong", row
        by_tokenizer += "prompt has at least" not in row[3]
        return "prompt has at least" in row[3]

    def requests():
        return cluster.metrics(tokenizer)["tokenfactory_tokenizer_requests_total"]

    await_state("ingest itself refuses", refused)
    assert all(refused() for _ in range(3))
    # One that fits comes after them all, and the counters are told now and then only.
    handle = next(HANDLES)
    client.submit(handle, name, [("user", "short")], 1, 0)
    assert next(row for row in client.rows() if row[0] == handle and row[1] != "none")[1] in ("stop", "length")
    await_state("the last one is counted", lambda: requests() > by_tokenizer)
    assert requests() == by_tokenizer + 1
