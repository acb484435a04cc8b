"""Peers without a key: whatever they open, begin and leave unread, keyed clients are served and memory is bounded."""

import hashlib
import os
import socket
import struct
import time
import urllib.parse

import pytest
import zmq

from cluster import await_state
from doors import python_client
from test_keys import Site, keyed
from test_tenants import model_with_key

client_module = python_client()
KEY = "key-of-modest"
BOUND = 256 << 20


def greeting(mechanism):
    return b"\xff" + bytes(7) + b"\x01\x7f\x03\x01" + mechanism.ljust(20, b"\0") + bytes(32)


def ready(kind=b"DEALER"):
    identity = b"\x01" + os.urandom(7)
    body = b"\x05READY" + b"\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
    body += b"\x08Identity" + struct.pack(">I", 8) + identity
    return bytes([4, len(body)]) + body


def hello(key):
    """A client's hello of version 2, as a message of one frame."""
    block = struct.pack("<BBBxI8sIII4x", 1, 2, 2, 1, os.urandom(8), 0, 0, 0)
    parts = struct.pack("<I", 0) + struct.pack("<I", 5) + b"rogue" + struct.pack("<I", len(key)) + key.encode()
    frame = struct.pack("<2sBBHHIIQQ", b"TF", 2, 1, 0, len(block), len(block) + len(parts), 0, 0,
                        time.monotonic_ns()) + block + parts
    return bytes([0, len(frame)]) + frame


def begun(size, command=False):
    """The head of a frame of this size."""
    return bytes([6 if command else 2]) + struct.pack(">Q", size)


class Crowd:
    """Raw connections to a door, each of which says its piece and then stays."""

    def __init__(self, address):
        url = urllib.parse.urlsplit(address)
        self.target, self.sockets = (url.hostname, url.port), []

    def add(self, count, *pieces):
        for _ in range(count):
            connection = socket.create_connection(self.target, timeout=10)
            self.sockets.append(connection)
            try:
                for piece in pieces:
                    connection.sendall(piece() if callable(piece) else piece)
            except OSError:
                pass  # It is hung up on already.

    def standing(self):
        def stands(connection):
            connection.setblocking(False)
            try:
                while data := connection.recv(1 << 16):
                    continue
                return data != b""
            except BlockingIOError:
                return True
            except OSError:
                return False

        return sum(map(stands, self.sockets))

    def close(self):
        for connection in self.sockets:
            connection.close()


def memory(process, name="VmRSS"):
    with open(f"/proc/{process.child.pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith(name))


def reset_peak(process):
    with open(f"/proc/{process.child.pid}/clear_refs", "w") as file:
        file.write("5")


def ask(cluster, name, **options):
    client = client_module.Client(cluster.door, 30, KEY, **options)
    client.submit(1, name, [("user", "let me in")], 8, 0)
    assert next(row for row in client.rows() if row[1] != "none")[1] == "length"
    client.socket.close()


@pytest.fixture
def keys(tmp_path):
    path = tmp_path / "keys"
    path.write_text(f"{hashlib.sha256(KEY.encode()).hexdigest()} modest\n")
    return path


def refusals(cluster, reason):
    return cluster.metrics(cluster.names("ingest")[0], "http").get(
        f"tokenfactory_ingest_client_door_connections_{reason}_total", 0)


def test_keyless_sessions_and_begun_frames_leave_a_plain_door_open(start, keys):
    cluster = start(ingest_options=["--keys", str(keys)])
    name = model_with_key(cluster)
    ask(cluster, name)
    ingest = cluster.names("ingest")[0]
    reset_peak(ingest)
    before = memory(ingest)
    crowd = Crowd(cluster.door)
    hand = greeting(b"NULL")
    try:
        # Sessions that were refused, and more connections than strangers may have.
        crowd.add(1024, hand, ready, hello("no key of anybody's"))
        # Frames of which 15 of 16 MiB have come; and such as a stranger may begin.
        crowd.add(60, hand, ready, begun(16 << 20), bytes(15 << 20))
        crowd.add(600, hand, ready, begun(8000), bytes(7999))
        # Some ask and never read.
        ping = b"\x04\x17\x04PING\x00\x00" + bytes(16)
        crowd.add(60, hand, ready, ping * 5000)
        ask(cluster, name)
        cost = memory(ingest, "VmHWM") - before
        print(f"strangers at a plain door: {crowd.standing()} stand and cost {cost >> 20} MiB at most")
        assert crowd.standing() <= 1024
        assert cost < BOUND
        await_state("they are counted", lambda: refusals(cluster, "malformed") >= 60)
        await_state("they are counted", lambda: refusals(cluster, "crowded") >= 600)
        await_state("whoever answers no heartbeat is given up", lambda: crowd.standing() == 0)
        ask(cluster, name)
    finally:
        crowd.close()
    cluster.audit()


def test_keyless_peers_of_a_door_with_curve_cost_a_bounded_sum(start, keys, tmp_path):
    site = Site(tmp_path / "site")
    cluster = keyed(start, site)
    cluster.close()
    options = site.options("ingest") + ["--keys", str(keys)]
    cluster = start(ingest_options=options, tokenizer_options=site.options("tokenizer"),
                    worker_options=site.options("inference-worker"), accounting_options=site.options("accounting"))
    name, server = model_with_key(cluster), site.public("ingest")[0]
    ask(cluster, name, server_key=server)
    ingest = cluster.names("ingest")[0]
    reset_peak(ingest)
    before = memory(ingest)
    context = zmq.Context()
    context.max_sockets = 4096
    sessions, crowd = [], Crowd(cluster.door)
    try:
        # Keys of their own, but no API key: the handshake is done, and then nothing more comes, or all but the end.
        for _ in range(300):
            dealer = context.socket(zmq.DEALER)
            dealer.linger = 0
            dealer.reconnect_ivl = -1
            dealer.curve_serverkey = server.encode()
            dealer.curve_publickey, dealer.curve_secretkey = zmq.curve_keypair()
            dealer.setsockopt(zmq.ROUTING_ID, b"\x01" + os.urandom(7))
            dealer.connect(cluster.door)
            sessions.append(dealer)
        # A message of parts without end, which libzmq would keep until its last part has come.
        for dealer in sessions[-20:]:
            for _ in range(400):
                try:
                    dealer.send(bytes(500_000), zmq.SNDMORE | zmq.NOBLOCK)
                except zmq.ZMQError:
                    break
        # Within the handshake: frames of which nearly all has come, as long as the door takes them, and longer.
        curve = greeting(b"CURVE")
        crowd.add(300, curve, begun((1 << 20) - 1, True), bytes((1 << 20) - 64))
        crowd.add(60, curve, begun(16 << 20, True), bytes(1 << 20))
        ask(cluster, name, server_key=server)
        cost = memory(ingest, "VmHWM") - before
        print(f"strangers at a door with CURVE cost {cost >> 20} MiB at most")
        assert cost < BOUND
        await_state("they are counted", lambda: refusals(cluster, "crowded") >= 100)
        ask(cluster, name, server_key=server)
    finally:
        crowd.close()
        for dealer in sessions:
            dealer.close()
        context.term()
    cluster.audit()


def test_a_door_for_listed_clients_asks_for_their_curve_keys(start, tmp_path):
    site = Site(tmp_path / "site")
    pair, other = zmq.curve_keypair(), zmq.curve_keypair()
    path = tmp_path / "keys"
    digest = [hashlib.sha256(key.encode()).hexdigest() for key in (KEY, "another")]
    path.write_text(f"{digest[0]} modest client-key={pair[0].decode()}\n"
                    f"{digest[1]} other client-key={other[0].decode()}\n")
    cluster = start(ingest_options=site.options("ingest") + ["--keys", str(path), "--listed-clients"],
                    tokenizer_options=site.options("tokenizer"), worker_options=site.options("inference-worker"),
                    accounting_options=site.options("accounting"))
    name, server = model_with_key(cluster), site.public("ingest")[0]
    ask(cluster, name, server_key=server, own_keys=pair)
    # A key of nobody's gets no session, whatever API key it would show.
    with pytest.raises(client_module.Failure, match="no welcome"):
        client_module.Client(cluster.door, 2, KEY, server_key=server)
    # A listed one with another's API key neither.
    with pytest.raises(client_module.Failure, match="unauthenticated"):
        client_module.Client(cluster.door, 5, KEY, server_key=server, own_keys=other)
    # A key that is listed no more ends its session.
    client = client_module.Client(cluster.door, 20, KEY, server_key=server, own_keys=pair)
    new = tmp_path / "keys.new"
    new.write_text(f"{digest[1]} other client-key={other[0].decode()}\n")
    new.rename(path)
    with pytest.raises(client_module.Failure, match="unauthenticated"):
        next(client.rows())
    cluster.audit()


def test_a_req_socket_is_told_that_it_has_no_place(shared):
    url = urllib.parse.urlsplit(shared.door)
    with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
        connection.sendall(greeting(b"NULL") + ready(b"REQ"))
        heard = b""
        while data := connection.recv(4096):
            heard += data
    assert heard.startswith(greeting(b"NULL"))
    assert b"\x05ERROR" in heard and b"READY" not in heard
