"""One client's bounds, the same at both doors: docs/operations.md has the table."""

import json
import os
import signal
import struct

import pytest

from cluster import await_state
from doors import model, post, python_client

client_module = python_client()
CHAT, TEXT, TOKENS, MESSAGES = 1, 2, 3, 4


def string(text):
    data = text.encode()
    return struct.pack("<I", len(data)) + data


def words(values):
    return struct.pack("<I", len(values)) + struct.pack(f"<{len(values)}I", *values)


def over_zeromq(cluster, name, form=TEXT, texts=("hi",), tokens=(), stops=(), stop_tokens=(), biases=(), arguments="",
                salt="", label="", key=""):
    """The status of one request at the ZeroMQ door; `ok` when it was answered, `ended` when the session was."""
    client = client_module.Client(cluster.door, 10)
    submit(client, name, 1, form, texts, tokens, stops, stop_tokens, biases, arguments, salt, label, key)
    try:
        for _, finish, status, _, _ in client.rows():
            if finish == "failed":
                return status
            if finish != "none":
                return "ok"
    except client_module.Failure:
        return "ended"
    finally:
        client.socket.close(linger=0)


def submit(client, name, handle, form=TEXT, texts=("hi",), tokens=(), stops=(), stop_tokens=(), biases=(),
           arguments="", salt="", label="", key=""):
    """Sends one request with any parts."""
    block = struct.pack("<IBBBx16s", handle, form, 0, 1, bytes(16))
    block += struct.pack("<QfffIfffII??2x", 0, 0.0, 1, 0, 0, 1, 0, 0, 4, 0, False, False)
    block += struct.pack("<i4xQB7x", 0, 0, 0)
    bias = struct.pack("<I", len(biases)) + b"".join(struct.pack("<If", token, value) for token, value in biases)
    client._send(client_module.SUBMIT, block, string("") + string(name) + client_module.strings(texts) + words(tokens)
                 + client_module.strings(stops) + words(stop_tokens) + bias + string(arguments) + string(salt)
                 + string(label) + string(key))


def over_http(cluster, name, body, headers=None):
    request = {"model": name, "max_tokens": 4, "temperature": 0} | body
    path = "/v1/chat/completions" if "messages" in request else "/v1/completions"
    if path == "/v1/completions":
        request.setdefault("prompt", "hi")
    return post(cluster, path, request, headers, timeout=60)[0]


def messages(count):
    return [{"role": "user", "content": ""} for _ in range(count)]


def json_messages(count):
    """With a name each, so that they are kept as they are."""
    return [{"role": "user", "content": "", "name": "n"} for _ in range(count)]


STOP = "s" * 1024
BOUNDS = [
    ("stop strings", {"stop": [STOP] * 16}, {"stops": [STOP] * 16}, {"stop": [STOP] * 17}, {"stops": [STOP] * 17}),
    ("bytes of a stop string", {"stop": [STOP]}, {"stops": [STOP]}, {"stop": [STOP + "s"]}, {"stops": [STOP + "s"]}),
    ("an empty stop string", {}, {}, {"stop": [""]}, {"stops": [""]}),
    ("messages", {"messages": messages(100)}, {"form": CHAT, "texts": ["user", ""] * 100},
     {"messages": messages(2049)}, {"form": CHAT, "texts": ["user", ""] * 2049}),
    ("messages in JSON", {"messages": json_messages(100)},
     {"form": MESSAGES, "texts": [json.dumps(json_messages(100))]},
     {"messages": json_messages(2049)}, {"form": MESSAGES, "texts": [json.dumps(json_messages(2049))]}),
    ("stop tokens", {"stop_token_ids": [5] * 128}, {"stop_tokens": [5] * 128},
     {"stop_token_ids": [5] * 129}, {"stop_tokens": [5] * 129}),
    ("biases of logits",
     {"logit_bias": {str(i): 100 for i in range(1024)}}, {"biases": [(i, 100) for i in range(1024)]},
     {"logit_bias": {str(i): 1 for i in range(1025)}}, {"biases": [(i, 1) for i in range(1025)]}),
    ("a bias of a logit", {"logit_bias": {"5": -100}}, {"biases": [(5, -100)]},
     {"logit_bias": {"5": -101}}, {"biases": [(5, -101)]}),
    ("arguments of the template", {"messages": messages(1), "chat_template_kwargs": {"k": "v" * 65000}},
     {"form": CHAT, "texts": ["user", ""], "arguments": json.dumps({"k": "v" * 65000})},
     {"messages": messages(1), "chat_template_kwargs": {"k": "v" * 66000}},
     {"form": CHAT, "texts": ["user", ""], "arguments": json.dumps({"k": "v" * 66000})}),
    ("token ids of a prompt", {}, {}, {"prompt": [5] * ((1 << 20) + 1)},
     {"form": TOKENS, "texts": [], "tokens": [5] * ((1 << 20) + 1)}),
    ("a cache salt", {"cache_salt": "s" * 255}, {"salt": "s" * 255},
     {"cache_salt": "s" * 256}, {"salt": "s" * 256}),
]


@pytest.mark.parametrize("what, http_within, line_within, http_beyond, line_beyond", BOUNDS, ids=[b[0] for b in BOUNDS])
def test_a_bound_is_the_same_at_both_doors(shared, what, http_within, line_within, http_beyond, line_beyond):
    name = model(shared)
    assert over_http(shared, name, http_within) == 200
    assert over_zeromq(shared, name, **line_within) == "ok"
    assert over_http(shared, name, http_beyond) == 400
    assert over_zeromq(shared, name, **line_beyond) == "invalidRequest"
    ingest = shared.names("ingest")[0]
    await_state("nothing is held", lambda: shared.metrics(ingest, "http")["tokenfactory_ingest_bytes_held"] == 0)


@pytest.mark.parametrize("header, limit", [("X-Request-Id", 256), ("Idempotency-Key", 255)])
def test_labels_and_keys_are_bounded_at_both_doors(shared, header, limit):
    name = model(shared)
    field = "label" if header == "X-Request-Id" else "key"
    for text, is_fine in (("a" * limit, True), ("a" * (limit + 1), False), ("caf\u00e9", False)):
        status = over_http(shared, name, {}, {header: text.encode().decode("latin-1")})
        assert (status == 200) == is_fine, (text, status)
        # The same key again, and another body: only the bound is looked at here.
        answer = over_zeromq(shared, name, **{field: text})
        assert answer != "ended" and (answer != "invalidRequest") == is_fine, (text, answer)


def test_a_part_over_its_limit_ends_its_request_only(shared):
    """Before, the session ended, and with it all other requests of that client."""
    name = model(shared)
    client = client_module.Client(shared.door, 10)
    submit(client, name, 1, stops=["s"] * 17)
    submit(client, name, 2, texts=["one two"])
    submit(client, name, 3, label="l" * 257)
    ends = {}
    for handle, finish, status, text, _ in client.rows():
        if finish != "none":
            ends[handle] = (finish, status)
        if finish == "failed":
            assert "most" in text
        if len(ends) == 3:
            break
    client.close()
    assert ends.pop(2)[0] in ("stop", "length")
    assert set(ends.values()) == {("failed", "invalidRequest")}


# What costs most of each kind at the door; scripts/bench-reactors.py measures it.
WORST = {
    "2,048 empty messages": {"form": CHAT, "texts": ["", ""] * 2048},
    "2,048 messages in JSON": {
        "form": MESSAGES, "texts": [json.dumps([{"role": "user", "content": "", "name": "n"}] * 2048)]},
    "8 MiB of words": {"texts": ["one two " * (1 << 20)]},
    "8 MiB of spaces": {"texts": [" " * (8 << 20)]},
    "8 MiB of JSON": {"form": MESSAGES, "texts": [json.dumps([{"role": "user", "content": "x" * ((8 << 20) - 99)}])]},
    "1,048,576 ids": {"form": TOKENS, "texts": [], "tokens": [5] * (1 << 20)},
    "8,000 ids, answered": {"form": TOKENS, "texts": [], "tokens": [5] * 8000},
    "16 stop strings of 1 KiB": {"stops": ["s" * 1024] * 16},
    "1,024 biases": {"biases": [(i, 1) for i in range(1024)]},
}
# Of a size that could fit the longest context, so that all of it is digested.
KEYED = {"8 MiB of words, keyed": {"texts": ["one two " * (1 << 20)], "key": "bench"}}
LONG_CONTEXT = ["--context", str(1 << 20), "--context-length", str(1 << 20)]


def hurt(cluster):
    """Sessions between stations that ended, and leases lost with them."""
    total = 0
    for process in cluster.processes.values():
        key = "http" if process.program in ("ingest", "accounting") else "admin"
        total += sum(value for metric, value in cluster.metrics(process, key).items()
                     if "client_door" not in metric
                     and metric.endswith(("_sessions_ended_total", "_link_lost_total", "_silences_total")))
    return total


def send_worst(cluster, request, count=64):
    """So many of them in flight at once in one session, which lives to tell how each of them ended. What is still in
    the works once a quarter has ended is cancelled: a template with 2,048 messages takes a tenth of a second."""
    name, before = model(cluster), hurt(cluster)
    client = client_module.Client(cluster.door, 10)
    for handle in range(1, count + 1):
        submit(client, name, handle, **request)
    ends = {}
    for handle, finish, status, _, _ in client.rows():
        if finish != "none":
            assert handle not in ends
            ends[handle] = finish if finish == "cancelled" else status
            if len(ends) == count:
                break
            if len(ends) == count // 4:
                for other in set(range(1, count + 1)) - set(ends):
                    client._send(client_module.CANCEL, struct.pack("<I4x", other))
    client.close()
    ingest = cluster.names("ingest")[0]
    await_state("nothing is held", lambda: cluster.metrics(ingest, "http")["tokenfactory_ingest_bytes_held"] == 0)
    assert hurt(cluster) == before
    return sorted(ends.values())


# Ingest refuses spaces as it refuses words, and no tokenizer sees them.
@pytest.mark.parametrize("what", [what for what in WORST if what != "8 MiB of spaces"])
def test_sixty_four_of_the_worst_frames_end_no_session(shared, what):
    send_worst(shared, WORST[what])
    assert over_zeromq(shared, model(shared)) == "ok"


def test_long_bodies_with_a_key_are_digested_beside_the_line(start):
    cluster = start(worker_options=LONG_CONTEXT)
    (request,) = KEYED.values()
    ends = send_worst(cluster, request)
    # One claims the key; the others come while it is in the works, or after it was refused for its length.
    assert set(ends) <= {"conflict", "promptTooLong", "cancelled"}, ends
    name = model(cluster)
    large = {"texts": ["one two " * (1 << 14)], "key": "large"}
    assert over_zeromq(cluster, name, **large) == "ok"
    assert over_zeromq(cluster, name, **large) == "conflict"
    assert over_zeromq(cluster, name, **(large | {"texts": ["two one " * (1 << 14)]})) == "keyMismatch"
    body = {"prompt": "one two " * (1 << 14)}
    for key, status in (("http", 200), ("http", 409)):
        assert over_http(cluster, name, body, {"Idempotency-Key": key}) == status
    assert over_http(cluster, name, {"prompt": "two one " * (1 << 14)}, {"Idempotency-Key": "http"}) == 422


def test_stop_strings_of_megabytes_reach_no_tokenizer(shared):
    """Of stop strings of megabytes a frame holds two; before, they passed, and took the tokenizer gigabytes."""
    name = model(shared)
    assert over_zeromq(shared, name, stops=["s" * (7 << 20)] * 2) == "invalidRequest"
    assert over_zeromq(shared, name) == "ok"


@pytest.mark.parametrize("unit", [" ", "one two three\n", "x", "\u5929\u5730"])
def test_a_prompt_that_cannot_fit_is_refused_alike(shared, unit):
    prompt = unit * ((4 << 20) // len(unit.encode()))
    body = json.dumps({"model": model(shared), "prompt": prompt}, ensure_ascii=False).encode()
    status, _, answer = post(shared, "/v1/completions", body, timeout=60)
    assert status == 400 and answer["error"]["code"] == "context_length_exceeded"
    assert "maximum context length" in answer["error"]["message"]
    assert over_zeromq(shared, model(shared), texts=[prompt]) == "promptTooLong"


def test_a_claim_that_the_ledger_does_not_answer_ends_with_the_requests_time(start):
    cluster = start()
    name = model(cluster)
    os.kill(cluster.accounting.child.pid, signal.SIGSTOP)
    try:
        headers = {"Idempotency-Key": "k1", "x-request-timeout-ms": "300"}
        status, _, answer = post(cluster, "/v1/completions", {"model": name, "prompt": "hi"}, headers, timeout=30)
    finally:
        os.kill(cluster.accounting.child.pid, signal.SIGCONT)
    # Without the deadline the ledger has five seconds, and the answer is 503.
    assert status in (408, 504), answer
    await_state("the line is whole", lambda: over_http(cluster, name, {}) == 200)
