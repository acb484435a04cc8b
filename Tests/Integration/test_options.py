"""What a request may ask of tokenizer and worker, over the ZeroMQ door: frames as docs/wire-format.md has them."""

import concurrent.futures
import itertools
import json
import os
import struct
import time

import pytest
import zmq

from cluster import await_state
from doors import model, python_client

client_module = python_client()
CHAT, TEXT, TOKENS, MESSAGES = 1, 2, 3, 4
CONTINUE, NO_PROMPT = 1, 2
CREDIT, GENERATE, TOKEN_BATCH, WORKER = 6, 36, 37, 4
HANDLES = itertools.count(1)


class Asker:
    def __init__(self, cluster):
        self.client = client_module.Client(cluster.door, 10)
        self.model = model(cluster)

    def ask(self, form, texts=(), tokens=(), most=8, least=0, stop_tokens=(), biases=(), arguments="", flags=0,
            timeout=0.0, priority=0):
        """Text, generated tokens, prompt tokens, finish and status of one answer; a failure's text is its message."""
        handle = next(HANDLES)
        block = struct.pack("<IBBBx16s", handle, form, 0, 1, bytes(16))
        block += struct.pack("<QfffIfffII??2x", 7, 0, 1, 0, 0, 1, 0, 0, most, least, True, False)
        block += struct.pack("<i4xQB7x", priority, int(timeout * 1e9), flags)
        string, ids = client_module.string, lambda ids: struct.pack(f"<{len(ids) + 1}I", len(ids), *ids)
        bias = struct.pack("<I", len(biases)) + b"".join(struct.pack("<If", *pair) for pair in biases)
        self.client._send(client_module.SUBMIT, block, string("") + string(self.model) + client_module.strings(texts)
                          + ids(tokens) + client_module.strings([]) + ids(stop_tokens) + bias + string(arguments)
                          + string("") + string("") + string(""))
        text = ""
        for row, finish, status, part, usage in self.client.rows():
            if row == handle:
                text += part
                if finish != "none":
                    return text, usage["generated"], usage["prompt"], finish, status


@pytest.fixture(scope="module")
def asker(shared):
    return Asker(shared)


PROMPT = list(range(100, 130))


def test_a_stop_token_ends_the_answer_and_is_no_text(asker):
    whole, generated, _, finish, _ = asker.ask(TOKENS, tokens=PROMPT, most=12, biases=[(5000, 100.0)])
    assert (generated, finish) == (12, "length") and whole
    text, generated, _, finish, status = asker.ask(
        TOKENS, tokens=PROMPT, most=12, biases=[(5000, 100.0)], stop_tokens=[1, 5000])
    assert (text, generated, finish, status) == ("", 1, "stop", "ok")
    # Within the minimum it ends nothing.
    text, generated, _, finish, _ = asker.ask(
        TOKENS, tokens=PROMPT, most=12, least=3, biases=[(5000, 100.0)], stop_tokens=[5000])
    assert (generated, finish) == (4, "stop") and whole.startswith(text) and text


def test_a_bias_beyond_the_vocabulary_is_refused(asker):
    text, _, _, finish, status = asker.ask(TOKENS, tokens=PROMPT, biases=[(4_000_000_000, 1.0)])
    assert (finish, status) == ("failed", "invalidRequest") and "logit_bias" in text


@pytest.mark.parametrize("bias", [100.5, -1e30, float("inf"), float("nan")])
def test_a_bias_that_is_no_bias_is_refused(asker, bias):
    text, _, _, finish, status = asker.ask(TOKENS, tokens=PROMPT, most=2, biases=[(5000, bias)])
    assert (finish, status) == ("failed", "invalidRequest") and "logit_bias" in text


def test_messages_are_for_the_template_as_they_are(asker):
    plain = asker.ask(CHAT, ["user", "Hi\nyou", "assistant", "", "user", "Go"])
    messages = [
        {"role": "user", "name": "Ann", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "you"}]},
        {"role": "assistant", "content": None, "reasoning_content": "hm"},
        {"role": "user", "content": "Go"},
    ]
    assert asker.ask(MESSAGES, [json.dumps(messages)]) == plain
    for bad in ("[", "[]", '[{"content": "x"}]', "[" * 100_000):
        text, _, _, finish, status = asker.ask(MESSAGES, [bad])
        assert (finish, status) == ("failed", "invalidRequest") and "template" in text, text


def test_the_template_leaves_open_what_is_to_be_continued(asker):
    turn = ["user", "Count.", "assistant", "One, two,"]
    closed, opened = asker.ask(CHAT, turn, flags=NO_PROMPT), asker.ask(CHAT, turn, flags=CONTINUE)
    prompted = asker.ask(CHAT, turn)
    assert opened[2] < closed[2] < prompted[2]
    # Variables of the template that it does not look at change nothing; what is no object is refused.
    assert asker.ask(CHAT, turn, arguments='{"enable_thinking": false, "messages": []}') == prompted
    assert asker.ask(CHAT, turn, arguments="[1]")[3:] == ("failed", "invalidRequest")


def test_an_answer_is_cut_at_the_context_and_a_prompt_beyond_it_refused(start):
    asker = Asker(start(worker_options=["--context-length", "256"]))
    _, generated, prompt, finish, status = asker.ask(TOKENS, tokens=PROMPT, most=100_000)
    assert (generated, prompt, finish, status) == (226, 30, "length", "ok")
    text, _, _, finish, status = asker.ask(TOKENS, tokens=list(range(100, 356)))
    assert (finish, status) == ("failed", "promptTooLong")
    assert text == ("This model's maximum context length is 256 tokens. However, your messages resulted in 256 tokens. "
                    "Please reduce the length of the messages.")


class RogueWorker:
    """Takes requests from a tokenizer as a worker does, and answers as a test says."""

    def __init__(self, address):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.ROUTING_ID, b"\x01" + os.urandom(7))
        self.socket.setsockopt(zmq.LINGER, 1000)
        self.socket.connect(address)
        self.hello()

    def send(self, kind, block, parts=b""):
        if kind != client_module.HELLO:
            self.sequence += 1
        self.socket.send(struct.pack("<2sBBHHIIQQ", b"TF", 2, kind, 0, len(block), len(block) + len(parts),
                                     self.session, self.sequence, time.monotonic_ns()) + block + parts)

    def hello(self):
        self.session, self.sequence = 0, 0
        string = client_module.string
        self.send(client_module.HELLO, struct.pack("<BBBxI8sIII4x", WORKER, 2, 2, 1, os.urandom(8), 1, 8192, 0),
                  string("") + string("rogue") + string(""))
        frame = self.await_kind(client_module.WELCOME)
        self.session = struct.unpack_from("<I", frame, 36)[0]
        self.send(CREDIT, struct.pack("<Q", 1))

    def await_kind(self, kind):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if not self.socket.poll(1000):
                continue
            frame = self.socket.recv()
            if frame[3] == kind:
                return frame
            if frame[3] == client_module.HEARTBEAT:
                self.send(client_module.HEARTBEAT_REPLY, frame[24:32] + struct.pack(
                    "<QQII", time.monotonic_ns(), 0, 0, 1) + struct.pack("<I4x", 8192))
        raise AssertionError(f"no frame of kind {kind}")

    def answer(self, generate, tokens, cached=0, finish=0):
        (handle,), digest = struct.unpack_from("<I", generate, 32), generate[56:64]
        row = digest + struct.pack("<IIIHHB3x", handle, 0, cached, len(tokens), 0, finish)
        self.send(TOKEN_BATCH, struct.pack("<QH6x", 1, 28),
                  struct.pack("<I", 1) + row + struct.pack(f"<{len(tokens) + 1}I", len(tokens), *tokens))


@pytest.mark.parametrize("rows", [
    {"tokens": [4_000_000_000]}, {"tokens": [300] * 5}, {"tokens": [300], "cached": 31}])
def test_a_worker_that_says_what_was_not_asked_loses_its_session(start, rows):
    cluster = start()
    asker = Asker(cluster)
    expected = asker.ask(TOKENS, tokens=PROMPT, most=4)
    tokenizer, honest = cluster.names("tokenizer")[0], cluster.names("inference-worker")[0]
    honest.kill()
    await_state("the worker is gone", lambda: cluster.metrics(tokenizer)["tokenfactory_tokenizer_workers"] == 0)
    rogue = RogueWorker(tokenizer.endpoints["worker-link"])
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(asker.ask, TOKENS, tokens=PROMPT, most=4)
        rogue.answer(rogue.await_kind(GENERATE), **rows)
        reset = rogue.await_kind(client_module.RESET)
        assert client_module.STATUS[struct.unpack_from("<H", reset, 32)[0]] == "protocolViolation"
        honest.start()
        # Nothing of the rogue's reaches the client, and another worker makes the whole.
        assert answer.result(60) == expected
    assert cluster.metrics(tokenizer)["tokenfactory_tokenizer_unbounded_rows_total"] == 1


def test_a_worker_hears_what_a_request_asks_and_how_long_it_waits(start):
    cluster = start()
    asker = Asker(cluster)
    tokenizer, honest = cluster.names("tokenizer")[0], cluster.names("inference-worker")[0]
    honest.kill()
    await_state("the worker is gone", lambda: cluster.metrics(tokenizer)["tokenfactory_tokenizer_workers"] == 0)
    rogue = RogueWorker(tokenizer.endpoints["worker-link"])
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(
            asker.ask, TOKENS, tokens=PROMPT, stop_tokens=[7, 8], biases=[(9, -1.5)], timeout=2.0, priority=-3)
        generate = rogue.await_kind(GENERATE)
        priority, _, left = struct.unpack_from("<iIQ", generate, 32 + 88)
        assert priority == -3 and 0 < left < 2e9
        assert generate.endswith(struct.pack("<3I", 2, 7, 8) + struct.pack("<IIf", 1, 9, -1.5) + struct.pack("<I", 0))
        # It makes one token and goes silent: that token stays delivered.
        rogue.answer(generate, [300])
        cancel = rogue.await_kind(client_module.CANCEL)
        assert cancel[32:36] == generate[32:36]
        text, _, _, finish, status = answer.result(60)
        assert (finish, status) == ("failed", "deadlineExceeded") and "time is over" in text
    honest.start()
