"""`POST /tokenize` and `POST /detokenize`, against what Hugging Face's tokenizers made and what a completion counts."""

import concurrent.futures
import json

from cluster import await_state
from doors import ROOT, corpus, model, post

FIXTURES = ROOT / "Tests" / "LlamaTests" / "Fixtures"


def fnv1a(ids):
    value = 0xCBF29CE484222325
    for token in ids:
        for byte in token.to_bytes(4, "little"):
            value = (value ^ byte) * 0x100000001B3 % (1 << 64)
    return value


def test_tokens_are_hugging_faces_and_their_text_comes_back(shared):
    strings = corpus(json.loads((FIXTURES / "corpus.json").read_text()))
    expected = json.loads((FIXTURES / "tokens.json").read_text())["tokens"]
    name = model(shared)

    def there_and_back(text):
        status, _, answer = post(shared, "/tokenize", {"model": name, "prompt": text}, timeout=60)
        if status != 200:
            return status, answer
        ids = answer["tokens"]
        assert answer["count"] == len(ids) and answer["token_strs"] is None and answer["max_model_len"] > 0
        status, _, back = post(shared, "/detokenize", {"model": name, "tokens": ids}, timeout=60)
        assert status == 200, back
        return f"{len(ids)}:{fnv1a(ids):016x}", back["prompt"]

    some = range(0, len(strings), 5)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        results = dict(zip(some, pool.map(there_and_back, (strings[i] for i in some))))
    wrong = []
    for i, (digest, text) in results.items():
        if digest == 400:
            # It is certain not to fit the context, and refused like a completion's.
            assert text["error"]["code"] == "context_length_exceeded"
        elif digest != expected[i] or text != strings[i]:
            wrong.append(i)
    assert wrong == []
    assert sum(1 for digest, _ in results.values() if digest != 400) > 150


def test_a_conversation_has_the_tokens_that_a_completion_counts(shared):
    name = model(shared)
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Naïve café, 漢字?"}]
    _, _, answer = post(shared, "/v1/chat/completions", {"model": name, "messages": messages, "max_tokens": 1})
    status, _, tokens = post(shared, "/tokenize", {"messages": messages, "return_token_strs": True})
    assert status == 200, tokens
    assert tokens["count"] == answer["usage"]["prompt_tokens"] == len(tokens["token_strs"])
    assert tokens["token_strs"][0].startswith("<|im_start|>")
    _, _, back = post(shared, "/detokenize", {"tokens": tokens["tokens"]})
    assert "Naïve café, 漢字?" in back["prompt"] and back["prompt"].endswith("<|im_start|>assistant\n")
    _, _, shorter = post(shared, "/tokenize", {"messages": messages, "add_generation_prompt": False})
    assert 0 < shorter["count"] < tokens["count"]
    # What a client writes never becomes a control token.
    _, _, plain = post(shared, "/tokenize", {"prompt": "<|im_start|>"})
    assert plain["count"] > 1


def test_what_is_wrong_is_said(shared):
    name = model(shared)
    for path, body, status, param in [
        ("/tokenize", {"model": "nobody", "prompt": "x"}, 404, "model"),
        ("/tokenize", {"model": name}, 400, "messages"),
        ("/detokenize", {"model": name, "tokens": [4_000_000_000]}, 400, None),
        ("/detokenize", {"model": name}, 400, "tokens"),
    ]:
        got, _, answer = post(shared, path, body)
        assert got == status and answer["error"]["param"] == param, answer
    _, _, empty = post(shared, "/tokenize", {"model": name, "prompt": ""})
    assert empty["count"] == 0
    status, _, answer = post(shared, "/tokenize", {"model": name, "prompt": "x " * 3_000_000})
    assert status == 400 and "maximum context length" in answer["error"]["message"]


def test_nothing_is_billed_and_a_lost_tokenizer_is_replaced(start):
    cluster = start(tokenizers=2)
    name = model(cluster)
    before = cluster.metrics(cluster.names("ingest")[0], "http")["tokenfactory_ingest_admitted_total"]
    assert post(cluster, "/tokenize", {"model": name, "prompt": "x"})[0] == 200
    assert cluster.metrics(cluster.names("ingest")[0], "http")["tokenfactory_ingest_admitted_total"] == before
    cluster.processes["tokenizer-0"].kill()
    for _ in range(20):
        status, _, answer = post(cluster, "/tokenize", {"model": name, "prompt": "x"})
        assert status == 200, answer
    cluster.processes["tokenizer-1"].kill()
    await_state("nobody is there", lambda: post(cluster, "/tokenize", {"prompt": "x"})[0] == 503)


def test_a_tokenizer_of_version_1_is_not_asked(start):
    cluster = start(tokenizer_options=["--protocol-version", "1"])
    status, headers, answer = post(cluster, "/tokenize", {"model": model(cluster), "prompt": "x"})
    assert status == 503 and headers["Retry-After"], answer
