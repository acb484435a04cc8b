#!/usr/bin/env python3
"""Small TCP proxies between stations, one for each link, that stop passing one direction or end what is connected.

A process of its own, so that neither the clients' threads nor a stopped station slow a link down. It is spoken to in
lines of JSON: {"add": NAME, "to": "HOST:PORT"} is answered with {"port": N}; {"stall": NAME, "way": "up" or "down"},
{"go": NAME, "way": …} and {"cut": NAME} are answered with {}. *Up* is from the station that dials to the one above.
"""

import json
import pathlib
import selectors
import socket
import subprocess
import sys
import threading

HELD = 256 << 10  # Bytes of one direction that a proxy holds; more stays with the sender.


class Links:
    """The proxies, as the run sees them."""

    def __init__(self):
        self.child = subprocess.Popen([sys.executable, str(pathlib.Path(__file__).resolve())], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.lock, self.above = threading.Lock(), {}

    def _ask(self, **order):
        with self.lock:
            self.child.stdin.write(json.dumps(order) + "\n")
            self.child.stdin.flush()
            return json.loads(self.child.stdout.readline())

    def add(self, below, above, address):
        """The address at which the station below finds the one above from now on."""
        name = f"{below}:{above}"
        self.above[name] = above
        scheme, found, rest = address.rpartition("://")
        return f"{scheme}{found}127.0.0.1:{self._ask(add=name, to=rest)['port']}"

    def stall(self, name, way):
        self._ask(stall=name, way=way)

    def go(self, name, way):
        self._ask(go=name, way=way)

    def cut(self, name):
        self._ask(cut=name)

    def close(self):
        self.child.stdin.close()
        self.child.wait(10)


class Pipe:
    """One direction of one connection."""

    def __init__(self, connection, way, source, sink):
        self.connection, self.way, self.source, self.sink = connection, way, source, sink
        self.held, self.ended, self.closed = bytearray(), False, False

    @property
    def stalled(self):
        return self.way in self.connection.link.stalled

    @property
    def wants_to_read(self):
        return not (self.stalled or self.ended or len(self.held) >= HELD)

    @property
    def wants_to_write(self):
        return not (self.stalled or self.closed) and (bool(self.held) or self.ended)

    def read(self):
        data = self.source.recv(65536)
        self.held += data
        self.ended = not data

    def write(self):
        if self.held:
            del self.held[:self.sink.send(self.held)]
        if self.ended and not self.held and not self.closed:
            self.closed = True
            self.sink.shutdown(socket.SHUT_WR)


class Connection:
    def __init__(self, proxies, link, below, above):
        self.proxies, self.link, self.sockets = proxies, link, (below, above)
        self.up, self.down = Pipe(self, "up", below, above), Pipe(self, "down", above, below)
        self.masks = {}
        self.update()

    def update(self):
        """Waits for what can go on, and for nothing else: a stalled link must not cost a core."""
        for end, out, back in zip(self.sockets, (self.up, self.down), (self.down, self.up)):
            mask = (selectors.EVENT_READ if out.wants_to_read else 0) | (
                selectors.EVENT_WRITE if back.wants_to_write else 0)
            before = self.masks.get(end, 0)
            if mask == before:
                continue
            if not before:
                self.proxies.register(end, mask, self)
            elif mask:
                self.proxies.modify(end, mask, self)
            else:
                self.proxies.unregister(end)
            self.masks[end] = mask

    def ready(self, end, mask):
        out, back = (self.up, self.down) if end is self.sockets[0] else (self.down, self.up)
        try:
            if mask & selectors.EVENT_READ and out.wants_to_read:
                out.read()
                # Mostly it can be passed on at once.
                if out.wants_to_write:
                    out.write()
            if mask & selectors.EVENT_WRITE and back.wants_to_write:
                back.write()
        except BlockingIOError:
            pass
        except OSError:
            return self.end()
        if self.up.closed and self.down.closed:
            return self.end()
        self.update()

    def end(self):
        for end in self.sockets:
            if self.masks.get(end):
                self.proxies.unregister(end)
            # What is on its way is gone, as where a middlebox forgets a connection.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            end.close()
        self.masks = {}
        self.link.connections.discard(self)


class Link:
    def __init__(self, proxies, target):
        host, _, port = target.rpartition(":")
        self.proxies, self.target = proxies, (host, int(port))
        self.stalled, self.connections = set(), set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.listener.setblocking(False)
        proxies.register(self.listener, selectors.EVENT_READ, self)

    def ready(self, listener, _):
        below, _ = listener.accept()
        try:
            above = socket.create_connection(self.target, timeout=2)
        except OSError:
            below.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            return below.close()
        for end in (below, above):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections.add(Connection(self.proxies, self, below, above))


class Orders:
    """What the run says, line by line, on standard input."""

    def __init__(self, proxies):
        self.proxies, self.links, self.over = proxies, {}, False
        proxies.register(sys.stdin, selectors.EVENT_READ, self)

    def ready(self, *_):
        # One order is answered before the next is given, so a line is all that there is.
        line = sys.stdin.readline()
        if not line:
            self.over = True
            return
        print(json.dumps(self.do(json.loads(line))), flush=True)

    def do(self, order):
        if "add" in order:
            link = self.links[order["add"]] = Link(self.proxies, order["to"])
            return {"port": link.listener.getsockname()[1]}
        link = self.links[order.get("stall") or order.get("go") or order["cut"]]
        if "cut" in order:
            for connection in list(link.connections):
                connection.end()
            return {}
        (link.stalled.add if "stall" in order else link.stalled.discard)(order["way"])
        for connection in link.connections:
            connection.update()
        return {}


def main():
    proxies = selectors.DefaultSelector()
    orders = Orders(proxies)
    while not orders.over:
        for key, mask in proxies.select():
            # An earlier one of this round may have ended it.
            if key.fileobj in (sys.stdin,) or key.fileobj.fileno() >= 0:
                key.data.ready(key.fileobj, mask)


if __name__ == "__main__":
    main()
