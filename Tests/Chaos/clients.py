"""Clients of both doors that write down what they got, and clients that behave as clients should not."""

import asyncio
import importlib.util
import json
import os
import pathlib
import random
import socket
import struct
import threading
import time

import zmq

ROOT = pathlib.Path(__file__).resolve().parents[2]
SILENCE = 25  # Seconds without a byte after which a client leaves.


def load(path, name):
    spec = importlib.util.spec_from_file_location(name, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


wire = load("examples/python_client.py", "python_client")


class Log:
    """One line for each attempt, written when it is over, whatever became of it."""

    def __init__(self, path):
        self.file, self.lock, self.number, self.connections = open(path, "w"), threading.Lock(), 0, 0
        self.counts = {}

    def attempt(self, tenant, door, connection, **more):
        with self.lock:
            self.number += 1
            return {"number": self.number, "tenant": tenant, "door": door, "connection": connection,
                    "label": os.urandom(16).hex(), "id": None, "tokens": 0, "bytes": 0, "exact": False,
                    "outcome": "cut", "why": "", "began": time.time(), **more}

    def connection(self):
        with self.lock:
            self.connections += 1
            return self.connections

    def write(self, attempt):
        attempt["ended"] = time.time()
        with self.lock:
            self.counts[attempt["outcome"]] = self.counts.get(attempt["outcome"], 0) + 1
            self.file.write(json.dumps(attempt) + "\n")
            self.file.flush()

    def count(self, what):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1


class Shapes:
    """Prompt lengths and limits that no two requests of a tenant share, so that a request is known by them."""

    def __init__(self, seed):
        self.lock, self.seed, self.next = threading.Lock(), seed, {}

    def draw(self, tenant, tokens):
        with self.lock:
            number = self.next[tenant] = self.next.get(tenant, 0) + 1
        # Limits step through a range above what is wanted (those are 64 and more apart), and the prompt's length tells
        # the rounds through it apart.
        return 3 + number // 64 % 400, tokens + number % 64


class Tenant:
    def __init__(self, name, key, weight):
        self.name, self.key, self.weight = name, key, weight


class HTTPClient:
    """One connection after another to any ingest, over plain sockets, so that every byte is counted."""

    WAYS = {"stream": 10, "whole": 4, "chat": 3, "leave": 3, "stall": 2, "never": 1, "trickle": 1, "garbage": 1,
            "half": 1}

    def __init__(self, run, tenant, number):
        self.run, self.tenant = run, tenant
        self.random = random.Random(f"{run.seed} http {tenant.name} {number}")

    async def work(self):
        while not self.run.over.is_set():
            way = self.random.choices(list(self.WAYS), self.WAYS.values())[0]
            if not self.run.rude and way in ("leave", "stall", "never", "trickle", "garbage", "half"):
                way = "stream"
            try:
                await self.one(way)
            except OSError:
                await asyncio.sleep(self.random.uniform(0.05, 0.3))
            await asyncio.sleep(self.random.expovariate(self.run.pace))

    async def one(self, way):
        run, pick = self.run, self.random
        host, port = pick.choice(run.http_doors()).split(":")
        if way in ("garbage", "half"):
            return await self.rubbish(host, port, way)
        prompt, limit = run.shapes.draw(self.tenant.name, 100_000 if way == "never" else pick.choice((4, 80, 300)))
        attempt = run.log.attempt(self.tenant.name, "http", f"h{run.log.connection()}", max_tokens=limit, why=way,
                                  prompt=0 if way == "chat" else prompt, at=f"{host}:{port}")
        body = {"model": run.model, "max_tokens": limit, "ignore_eos": True, "stream": way != "whole",
                "seed": pick.randrange(1 << 30)}
        if way != "whole":
            body["stream_options"] = {"include_usage": True} | ({"continuous_usage_stats": True}
                                                                if run.features["continuous"] else {})
        if way == "chat":
            body["messages"] = [{"role": "user", "content": f"Subject {pick.randrange(50)}, please."}]
        else:
            body["prompt"] = [pick.randrange(3, 4000) for _ in range(prompt)]
        path = "/v1/chat/completions" if way == "chat" else "/v1/completions"
        headers = {"X-Request-ID": attempt["label"]}
        if run.features["http keys"] and pick.random() < 0.3:
            attempt["key"] = headers["Idempotency-Key"] = run.key(pick, self.tenant, attempt)
            # The same key must bring the same body.
            body |= {"seed": 1, "max_tokens": 40, "prompt": [5] * 9}
            attempt |= {"max_tokens": 40, "prompt": 0}
            path = "/v1/completions"
            body.pop("messages", None)
        attempt["slow"] = way in ("stall", "never")
        # A small receive buffer, so that a client that does not read is noticed soon.
        plain = socket.socket()
        plain.setblocking(False)
        if attempt["slow"]:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        writer = None
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(plain, (host, int(port))), 5)
            reader, writer = await asyncio.open_connection(sock=plain, limit=1 << 22)
            attempt["sent"] = True
            await self.send(writer, path, json.dumps(body).encode(), headers, way)
            await self.read(reader, attempt, body["stream"], way)
        except (TimeoutError, OSError, EOFError, asyncio.IncompleteReadError, ValueError) as error:
            attempt["why"] += f", {type(error).__name__}"
            if not attempt.get("sent"):
                attempt |= {"outcome": "refused", "status": "no connection"}
        finally:
            if writer:
                writer.transport.abort()
            plain.close()
            run.log.write(attempt)

    async def send(self, writer, path, body, headers, way):
        head = (f"POST {path} HTTP/1.1\r\nHost: factory\r\nAuthorization: Bearer {self.tenant.key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n").encode()
        if way != "trickle":
            writer.write(head + body)
            return
        for start in range(0, len(head + body), 97):
            writer.write((head + body)[start:start + 97])
            await writer.drain()
            await asyncio.sleep(0.02)

    async def read(self, reader, attempt, streams, way):
        if way == "never":
            await asyncio.sleep(self.random.uniform(3, 12))
            return
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SILENCE)
        status = int(head.split(b" ", 2)[1])
        fields = dict(line.lower().split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:] if ": " in line)
        if "content-length" in fields:
            text = await asyncio.wait_for(reader.readexactly(int(fields["content-length"])), SILENCE)
            answer = json.loads(text)
            if status != 200:
                attempt |= {"outcome": "refused", "status": status}
                return
            attempt |= {"outcome": "whole", "id": answer["id"].split("-", 1)[1], "exact": True, "bytes": 0,
                        "tokens": answer["usage"]["completion_tokens"]}
            return
        leave_after = self.random.randrange(1, 40) if way == "leave" else None
        rest, events, stalls = b"", 0, 0
        while True:
            size = int(await asyncio.wait_for(reader.readuntil(b"\r\n"), SILENCE), 16)
            chunk = await asyncio.wait_for(reader.readexactly(size + 2), SILENCE)
            if size == 0:
                return
            attempt["bytes"] += size
            rest += chunk[:-2]
            *whole, rest = rest.split(b"\n\n")
            for event in whole:
                if event.startswith(b"data: "):
                    self.take(event[6:], attempt)
                    events += 1
            if leave_after and events >= leave_after:
                return
            if way == "stall" and events and stalls < 3 and self.random.random() < 0.05:
                stalls += 1
                await asyncio.sleep(self.random.uniform(0.5, 4))

    @staticmethod
    def take(data, attempt):
        if data == b"[DONE]":
            return
        event = json.loads(data)
        if "error" in event:
            attempt |= {"outcome": "failed", "status": event["error"].get("code") or event["error"].get("type")}
            return
        attempt["id"] = event["id"].split("-", 1)[1]
        choices = event.get("choices") or []
        for choice in choices:
            if choice.get("text") or (choice.get("delta") or {}).get("content"):
                # At least one; usage says how many.
                attempt["tokens"] += 0 if attempt["exact"] else 1
        if event.get("usage"):
            attempt |= {"tokens": event["usage"]["completion_tokens"], "exact": True}
            if not choices:
                attempt["outcome"] = "whole"

    async def rubbish(self, host, port, way):
        self.run.log.count(f"http {way}")
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), 5)
        try:
            if way == "garbage":
                writer.write(self.random.choice((
                    self.random.randbytes(3000), b"GET / HTTP/9.9\r\n\r\n", b"POST /v1/completions HTTP/1.1\r\n" * 50,
                    b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffff\r\n")))
            else:
                writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                             + self.tenant.key.encode() + b"\r\nContent-Type: application/json\r\n"
                             b"Content-Length: 100000\r\n\r\n{\"model\": \"")
            await writer.drain()
            await asyncio.sleep(self.random.uniform(0.1, 3))
        finally:
            writer.transport.abort()


class Session(wire.Client):
    """A session of the ZeroMQ door, by the example client, with token prompts and bytes counted."""

    bytes = 0

    def _count(self, size, tray):
        self.bytes += size
        super()._count(size, tray)

    def submit_tokens(self, handle, tokens, limit, seed, label, key=""):
        block = struct.pack("<IBBBx16s", handle, 3, 1, 1, bytes(16))
        block += struct.pack("<QfffIfffII??2x", seed, 0, 1, 0, 0, 1, 0, 0, limit, 0, True, False)
        block += struct.pack("<i4xQB7x", 0, 0, 0)
        none = struct.pack("<I", 0)
        prompt = struct.pack(f"<I{len(tokens)}I", len(tokens), *tokens)
        self._send(wire.SUBMIT, block, wire.string("") + wire.string("") + none + prompt + none + none + none
                   + wire.string("") + wire.string("") + wire.string(label) + wire.string(key))


class ZeroMQClient:
    """Sessions at any ingest's client door, each with some requests at once; a thread of its own."""

    WAYS = {"read": 10, "cancel": 2, "leave": 2, "goodbye": 1, "stall": 2, "never": 1, "garbage": 1}

    def __init__(self, run, tenant, number):
        self.run, self.tenant = run, tenant
        self.random = random.Random(f"{run.seed} zmq {tenant.name} {number}")

    def work(self):
        while not self.run.over.is_set():
            way = self.random.choices(list(self.WAYS), self.WAYS.values())[0]
            if not self.run.rude and way != "read":
                way = "read"
            try:
                self.garbage() if way == "garbage" else self.session(way)
            except (wire.Failure, zmq.ZMQError, OSError):
                pass
            time.sleep(self.random.expovariate(self.run.pace))

    def session(self, way):
        run, pick = self.run, self.random
        door = pick.choice(run.client_doors())
        session = Session(door, 5, self.tenant.key, run.server_key)
        connection, open_, handle = f"z{run.log.connection()}", {}, 0
        try:
            for _ in range(1 if way in ("never", "stall") else pick.randrange(1, 5)):
                for _ in range(pick.randrange(1, 4)):
                    handle += 1
                    open_[handle] = self.submit(session, door, connection, handle, way)
                if way == "never":
                    time.sleep(pick.uniform(3, 12))
                    return
                if not self.read(session, open_, way):
                    return
                if run.over.is_set():
                    break
            session.close()
        except (wire.Failure, zmq.ZMQError, struct.error, IndexError) as error:
            for attempt in open_.values():
                attempt["why"] += f", {error}"
        finally:
            for attempt in open_.values():
                attempt["bytes"] = session.bytes
                run.log.write(attempt)
            if not session.socket.closed:
                session.socket.close(0)

    def submit(self, session, door, connection, handle, way):
        run, pick = self.run, self.random
        prompt, limit = run.shapes.draw(self.tenant.name, 100_000 if way == "never" else pick.choice((4, 80, 300)))
        attempt = run.log.attempt(self.tenant.name, "zeromq", connection, max_tokens=limit, prompt=prompt, why=way,
                                  slow=way in ("never", "stall"), at=door)
        tokens, seed, key = [pick.randrange(3, 4000) for _ in range(prompt)], pick.randrange(1 << 30), ""
        if run.features["zeromq keys"] and pick.random() < 0.3:
            key = attempt["key"] = run.key(pick, self.tenant, attempt)
            tokens, limit, seed = [5] * 9, 40, 1
            attempt |= {"max_tokens": limit, "prompt": 0}
        session.submit_tokens(handle, tokens, limit, seed, attempt["label"], key)
        return attempt

    def read(self, session, open_, way):
        """Reads until all that is open has ended; False when the client leaves before."""
        rows, stalls = 0, 0
        for handle, finish, status, _, usage in session.rows():
            attempt = open_.get(handle)
            if attempt is None:
                continue
            rows += 1
            if finish == "failed":
                attempt["outcome"] = "failed" if attempt["tokens"] else "refused"
                attempt |= {"status": status, "exact": True}
            else:
                attempt["tokens"] = usage["generated"]
            if finish not in ("none", "failed"):
                attempt |= {"outcome": "whole", "finish": finish, "exact": True}
            if finish != "none":
                attempt["bytes"] = session.bytes
                self.run.log.write(open_.pop(handle))
                if not open_:
                    return True
            if way in ("leave", "goodbye") and rows > 12:
                if way == "goodbye":
                    session.close()
                return False
            if way == "cancel" and rows == 5:
                session.cancel(self.random.choice(list(open_)))
            if way == "stall" and stalls < 2 and self.random.random() < 0.05:
                stalls += 1
                time.sleep(self.random.uniform(0.5, 8))
        return True

    def garbage(self):
        self.run.log.count("zeromq garbage")
        dealer = zmq.Context.instance().socket(zmq.DEALER)
        dealer.linger = 200
        if self.run.server_key and self.random.random() < 0.7:
            # Any key is admitted here; what is said with it is not.
            dealer.curve_serverkey = self.run.server_key.encode()
            dealer.curve_publickey, dealer.curve_secretkey = zmq.curve_keypair()
        dealer.connect(self.random.choice(self.run.client_doors()))
        for frame in (b"", b"TF", self.random.randbytes(64), b"TF\x02\x01" + b"\xff" * 28, b"x" * 100_000):
            dealer.send(frame)
        dealer.send_multipart([b"a", b"b", b"c"])
        dealer.close()
