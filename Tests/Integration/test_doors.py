"""What a client sees: both doors, streamed or not, alone or together, and OpenAI's own library."""

import concurrent.futures
import json
import subprocess
import sys

import openai
import pytest

from cluster import get
from doors import ROOT, chat, corpus, model, new_id, openai_client, post, together


def test_models_are_listed(shared):
    names = [m.id for m in openai_client(shared).models.list().data]
    assert len(names) == 1 and names[0]


def test_chat_completion_has_text_reason_and_usage(shared):
    text, reason, usage = chat(shared, "Say something.", max_tokens=16)
    assert text and reason == "length"
    assert usage.completion_tokens == 16 and usage.total_tokens == usage.prompt_tokens + 16


def test_streamed_equals_whole(shared):
    whole = chat(shared, "One and the same.", max_tokens=40, temperature=0)
    streamed = chat(shared, "One and the same.", stream=True, max_tokens=40, temperature=0)
    assert whole[0] == streamed[0] and whole[1] == streamed[1]
    assert whole[2].completion_tokens == streamed[2].completion_tokens == 40


def test_eight_together_equal_each_alone(shared):
    prompts = [f"Prompt number {i}" for i in range(8)]
    alone = [chat(shared, p, max_tokens=32, temperature=0)[0] for p in prompts]
    batch = together([lambda p=p: chat(shared, p, stream=True, max_tokens=32, temperature=0)[0] for p in prompts])
    assert alone == batch and len(set(alone)) == 8


def test_python_client_over_zeromq_gives_the_same_text(shared):
    run = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "python_client.py"), "--connect", shared.door, "--model",
         model(shared), "--max-tokens", "24", "--temperature", "0", "One more time."],
        capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    text, _, _ = chat(shared, "One more time.", max_tokens=24, temperature=0)
    assert run.stdout.rstrip("\n") == text.rstrip("\n")


def test_a_request_without_a_model_gets_the_one_that_is_served(shared):
    run = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "python_client.py"), "--connect", shared.door, "--model", "",
         "--max-tokens", "4", "--temperature", "0", "Any model."],
        capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr


def test_usage_counts_what_hugging_face_counts(start):
    """On 1,000 varied strings; Hugging Face's tokenizers made the expected counts (scripts/llama-fixtures.py)."""
    fixtures = ROOT / "Tests" / "LlamaTests" / "Fixtures"
    strings = corpus(json.loads((fixtures / "corpus.json").read_text()))
    expected = [int(entry.split(":")[0]) for entry in json.loads((fixtures / "tokens.json").read_text())["tokens"]]
    assert len(strings) == len(expected) >= 1000
    cluster = start(worker_options=["--context", "65536", "--context-length", "32768"])
    name = model(cluster)

    def count(text):
        body = {"model": name, "prompt": text, "max_tokens": 1}
        status, _, answer = post(cluster, "/v1/completions", body, timeout=60)
        return answer["usage"]["prompt_tokens"] if status == 200 else answer["error"]["message"]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        counts = list(pool.map(count, strings))
    differing = [i for i, (own, other) in enumerate(zip(counts, expected)) if own != other]
    # An empty prompt has no tokens to count: it is refused, and said so.
    empty = [i for i in differing if expected[i] == 0]
    assert all("empty" in counts[i] for i in empty)
    assert [i for i in differing if i not in empty] == []


def test_text_and_token_completions(shared):
    client = openai_client(shared)
    text = client.completions.create(model=model(shared), prompt="Once upon a time", max_tokens=8, temperature=0)
    assert text.choices[0].text and text.usage.completion_tokens == 8
    ids = client.completions.create(model=model(shared), prompt=[1, 2, 3, 4], max_tokens=8, temperature=0)
    assert ids.usage.prompt_tokens == 4 and ids.usage.completion_tokens == 8


def test_stop_string_ends_the_answer(shared):
    whole, _, _ = chat(shared, "Stop me.", max_tokens=64, temperature=0)
    stop = whole[20:26]
    text, reason, _ = chat(shared, "Stop me.", max_tokens=64, temperature=0, stop=[stop])
    assert reason == "stop" and text == whole[:whole.index(stop)]


def test_each_request_is_settled_once_with_its_tokens(shared):
    body = {"model": model(shared), "messages": [{"role": "user", "content": "Count me."}], "max_tokens": 12}
    _, headers, answer = post(shared, "/v1/chat/completions", body)
    row = shared.await_settled(headers["x-operation-id"])
    assert row["state"] == "settled" and row["delivered_tokens"] == answer["usage"]["completion_tokens"] == 12
    assert row["prompt_tokens"] == answer["usage"]["prompt_tokens"]


@pytest.mark.parametrize("body, status, param", [
    ({"temperature": -1}, 400, "temperature"),
    ({"top_p": 7}, 400, "top_p"),
    ({"max_tokens": -5}, 400, "max_tokens"),
    ({"max_tokens": 1e300}, 400, "max_tokens"),
    ({"n": 17}, 400, "n"),
    ({"tools": [{"type": "function"}]}, 400, "tools"),
    ({"guided_regex": "a+"}, 400, "guided_regex"),
    ({"messages": []}, 400, "messages"),
    ({"messages": "hello"}, 400, "messages"),
    ({"model": "no-such-model"}, 404, "model"),
])
def test_bad_parameters_are_named(shared, body, status, param):
    request = {"model": model(shared), "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4} | body
    got, _, answer = post(shared, "/v1/chat/completions", request)
    assert got == status, answer
    assert answer["error"]["param"] == param and answer["error"]["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b'{"model": ' + b"[" * 100_000, b"null"])
def test_bad_json_is_refused(shared, body):
    status, _, answer = post(shared, "/v1/chat/completions", body)
    assert status == 400 and answer["error"]["message"]
    assert get(shared.http + "/livez")[0] == 200


def test_prompt_too_long_is_a_clear_error(shared):
    status, _, answer = post(shared, "/v1/completions",
                             {"model": model(shared), "prompt": [5] * 200_000, "max_tokens": 4})
    assert status == 400 and answer["error"]["code"] == "context_length_exceeded"


def test_the_library_raises_its_own_errors(shared):
    with pytest.raises(openai.BadRequestError):
        chat(shared, "hi", max_tokens=4, temperature=9)
    with pytest.raises(openai.NotFoundError):
        openai_client(shared).chat.completions.create(model="nobody", messages=[{"role": "user", "content": "x"}])


def test_the_ledger_audits_clean(shared):
    shared.audit()


def test_a_label_is_the_clients_and_the_operation_has_its_own_id(shared):
    body = {"model": model(shared), "messages": [{"role": "user", "content": "label"}], "max_tokens": 4}
    ids = set()
    for _ in range(3):
        status, headers, answer = post(shared, "/v1/chat/completions", body, headers={"X-Request-Id": "any: thing!"})
        assert status == 200 and headers["x-request-id"] == "any: thing!"
        assert answer["id"] == "chatcmpl-" + headers["x-operation-id"]
        ids.add(headers["x-operation-id"])
        assert shared.await_settled(headers["x-operation-id"])["delivered_tokens"] == 4
    assert len(ids) == 3


def test_a_request_with_an_idempotency_key_is_done_once(shared):
    body = {"model": model(shared), "messages": [{"role": "user", "content": "once"}], "max_tokens": 4}
    key = {"Idempotency-Key": "key-" + new_id()}
    status, headers, answer = post(shared, "/v1/chat/completions", body, headers=key)
    assert status == 200, answer
    first = headers["x-operation-id"]
    assert shared.await_settled(first)["delivered_tokens"] == 4
    status, headers, answer = post(shared, "/v1/chat/completions", body, headers=key)
    assert status == 409 and first in answer["error"]["message"] and headers["x-should-retry"] == "false"
    status, _, answer = post(shared, "/v1/chat/completions", body | {"max_tokens": 5}, headers=key)
    assert status == 422 and answer["error"]["code"] == "idempotency_key_mismatch"


def test_several_answers_are_operations_of_their_own(shared):
    body = {"model": model(shared), "prompt": ["one", "two"], "n": 2, "max_tokens": 4, "seed": 7}
    status, headers, answer = post(shared, "/v1/completions", body)
    assert status == 200, answer
    ids = headers["x-operation-id"].split(", ")
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3] and len(set(ids)) == 4
    rows = [shared.await_settled(request_id) for request_id in ids]
    assert answer["usage"]["completion_tokens"] == sum(row["delivered_tokens"] for row in rows) == 16
    assert answer["usage"]["prompt_tokens"] == sum(row["prompt_tokens"] for row in rows)


def test_what_is_late_is_dropped(start):
    cluster = start(workers=1, time_scale=1.0)
    body = {"model": model(cluster), "prompt": "late", "max_tokens": 4000, "ignore_eos": True}
    status, headers, answer = post(cluster, "/v1/completions", body, headers={"x-request-timeout-ms": "300"})
    assert status == 504 and answer["error"]["code"] == "deadline_exceeded"
    assert cluster.await_settled(headers["x-operation-id"])["delivered_tokens"] == 0
