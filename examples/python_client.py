#!/usr/bin/env python3
"""A client of the ZeroMQ door in one file: pyzmq and docs/wire-format.md, nothing else.

    python3 examples/python_client.py --connect tcp://127.0.0.1:7700 --model NAME "Why is the sky blue?"

Prints the answer as it comes, the usage on stderr. Ctrl-C cancels the request at the worker. Exit status: 0 when the
answer is whole, 1 when it failed, 130 when it was cancelled.
"""

import argparse
import os
import signal
import struct
import sys
import time

import zmq

VERSION = 2
HELLO, WELCOME, RESET, HEARTBEAT, HEARTBEAT_REPLY, GOODBYE, TRAY_ACK, CANCEL = 1, 2, 3, 4, 5, 10, 12, 13
SUBMIT, OUTPUT = 32, 33
STATUS = "ok invalidRequest unauthenticated unknownModel promptTooLong busy unavailable engineFailed digestMismatch \
conflict unknownSession versionMismatch protocolViolation overCredit timedOut draining superseded deadlineExceeded \
keyMismatch forbidden rateLimited".split()
FINISH = "none stop length cancelled failed handedBack lost".split()


class Failure(Exception):
    pass


def string(text):
    data = text.encode()
    return struct.pack("<I", len(data)) + data


def strings(texts):
    return struct.pack("<I", len(texts)) + b"".join(string(text) for text in texts)


class Client:
    def __init__(self, address, timeout, key="", server_key="", own_keys=None):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.ROUTING_ID, b"\x01" + os.urandom(7))
        self.socket.setsockopt(zmq.LINGER, 1000)
        if server_key:  # CURVE: the door's public key, and any pair of our own, or the one that the door lists.
            self.socket.curve_serverkey = server_key.encode()
            self.socket.curve_publickey, self.socket.curve_secretkey = own_keys or zmq.curve_keypair()
        self.socket.connect(address)
        self.session, self.sequence, self.silence, self.unwanted = 0, 0, timeout, None
        self.window, self.unread = 0, 0
        self._greet(timeout, key)

    def _send(self, kind, block, parts=b""):
        if kind != HELLO:
            self.sequence += 1
        body = block + parts
        header = struct.pack("<2sBBHHIIQQ", b"TF", VERSION, kind, 0, len(block), len(body), self.session, self.sequence,
                             time.monotonic_ns())
        self.socket.send(header + body)

    def _receive(self, seconds):
        """The next frame as (kind, sent at, block, parts), or None after so many seconds."""
        if not self.socket.poll(int(seconds * 1000)):
            return None
        frame = self.socket.recv()
        magic, version, kind, _, block, body, session, _, sent_at = struct.unpack_from("<2sBBHHIIQQ", frame)
        if magic != b"TF" or len(frame) != 32 + body:
            raise Failure("not a frame")
        if kind == RESET and session in (0, self.session):
            raise Failure(f"reset by the ingest: {STATUS[struct.unpack_from('<H', frame, 32)[0]]}")
        if version != VERSION:
            raise Failure(f"not a frame of version {VERSION}")
        if kind != WELCOME and session != self.session:
            return None, 0, b"", b""
        if kind == OUTPUT:
            self._count(len(frame), *struct.unpack_from("<Q", frame, 32))
        return kind, sent_at, frame[32:32 + block], frame[32 + block:]

    def _count(self, size, tray):
        """Says that trays were read before the window shuts, so that the ingest goes on at full speed."""
        self.unread += size
        if self.unread * 4 >= self.window:
            self._send(TRAY_ACK, struct.pack("<Q", tray))
            self.unread = 0

    def _greet(self, timeout, key):
        block = struct.pack("<BBBxI8sIII4x", 1, VERSION, VERSION, 1, os.urandom(8), 0, 0, 0)
        self._send(HELLO, block, string("") + string("python_client") + string(key))
        frame = self._receive(timeout)
        if frame is None or frame[0] != WELCOME:
            raise Failure("no welcome: is an ingest there?")
        _, _, _, self.session, _, _, silence, self.window = struct.unpack_from("<BBHIQIII", frame[2])
        self.silence = silence / 1000

    def submit(self, handle, model, messages, max_tokens, temperature, label="", idempotency_key="", timeout=0):
        block = struct.pack("<IBBBx16s", handle, 1, 0, 1, bytes(16))
        block += struct.pack("<QfffIfffII??2x", 0, temperature, 1, 0, 0, 1, 0, 0, max_tokens, 0, False, False)
        block += struct.pack("<i4xQB7x", 0, int(timeout * 1e9), 0)
        texts = [text for message in messages for text in message]
        none = struct.pack("<I", 0)
        self._send(SUBMIT, block, string("") + string(model) + strings(texts) + none + strings([]) + none + none
                   + string("") + string("") + string(label) + string(idempotency_key))

    def cancel(self, handle):
        """Asks for the end of a request: said before the next row is read, safe in a signal handler."""
        self.unwanted = handle

    def rows(self):
        """Rows as they come, for ever: (handle, finish, status, text, usage). Answers heartbeats meanwhile."""
        while True:
            frame = self._receive(self.silence)
            if frame is None:
                raise Failure("the ingest is silent")
            if self.unwanted is not None:
                self._send(CANCEL, struct.pack("<I4x", self.unwanted))
                self.unwanted = None
            kind, sent_at, block, parts = frame
            if kind == HEARTBEAT:
                self._send(HEARTBEAT_REPLY, struct.pack("<QQQII", sent_at, time.monotonic_ns(), 0, 0, 0))
            if kind != OUTPUT:
                continue
            length, (count,) = struct.unpack_from("<QH", block)[1], struct.unpack_from("<I", parts)
            (token_count,) = struct.unpack_from("<I", parts, 4 + count * length)
            text_at = 4 + count * length + 4 + 4 * token_count + 4
            for index in range(count):
                handle, position, size, prompt, cached, tokens, status, finish = struct.unpack_from(
                    "<IIIIIHHB", parts, 4 + index * length)
                yield handle, FINISH[finish], STATUS[status], parts[text_at:text_at + size].decode(), {
                    "prompt": prompt, "cached": cached, "generated": position + tokens}
                text_at += size

    def close(self):
        self._send(GOODBYE, b"")
        self.socket.close()


def answer(client, handle):
    """Prints the rows of one request; the exit status."""
    for row_handle, finish, status, text, usage in client.rows():
        if row_handle != handle:
            continue
        if finish == "failed":
            raise Failure(f"{status}: {text}")
        print(text, end="", flush=True)
        if finish != "none":
            print(flush=True)
            print("{prompt} prompt tokens ({cached} cached), {generated} generated, {finish}".format(
                finish=finish, **usage), file=sys.stderr)
            return 130 if finish == "cancelled" else 0


def main():
    parser = argparse.ArgumentParser(description="Sends one chat prompt to a Token Factory.")
    parser.add_argument("prompt")
    parser.add_argument("--connect", default="tcp://127.0.0.1:7700", help="the client door of an ingest")
    parser.add_argument("--model", default="", help="default: any that is served")
    parser.add_argument("--system", help="a system message")
    parser.add_argument("--key", default=os.environ.get("TOKENFACTORY_KEY", ""), help="API key")
    parser.add_argument("--server-key", default=os.environ.get("TOKENFACTORY_SERVER_KEY", ""),
                        help="the door's public CURVE key, where it is reached from another host")
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--timeout", type=float, default=10, help="seconds to wait for a welcome")
    options = parser.parse_args()
    messages = [("system", options.system)] if options.system else []
    messages.append(("user", options.prompt))
    client = Client(options.connect, options.timeout, options.key, options.server_key)

    def interrupted(*_):
        client.cancel(1)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # A second Ctrl-C does not wait.

    signal.signal(signal.SIGINT, interrupted)
    client.submit(1, options.model, messages, options.max_tokens, options.temperature)
    status = answer(client, 1)
    client.close()
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        print(f"python_client: {failure}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
