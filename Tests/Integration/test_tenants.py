"""Tenants beside one another: who asks for much takes nothing from who asks for little."""

import hashlib
import threading
import time

import pytest

from cluster import await_state
from doors import model, openai_client

KEYS = {"greedy": "key-of-greedy", "modest": "key-of-modest"}


@pytest.fixture
def keys(tmp_path):
    path = tmp_path / "keys"
    path.write_text("".join(f"{hashlib.sha256(key.encode()).hexdigest()} {tenant}\n" for tenant, key in KEYS.items()))
    return path


def test_one_tenants_flood_does_not_keep_another_waiting(start, keys):
    cluster = start(slots=4, admission=64, time_scale=1.0,
                    ingest_options=["--keys", str(keys)], tokenizer_options=["--lookahead", "4"])
    name = model_with_key(cluster)
    stop, ended, refused = threading.Event(), [], []

    def ask(tenant):
        return openai_client(cluster, KEYS[tenant]).completions.create(
            model=name, prompt=[5, 6, 7], max_tokens=40, temperature=0, extra_body={"ignore_eos": True})

    def flood():
        while not stop.is_set():
            try:
                ask("greedy")
                ended.append("greedy")
            except Exception as error:  # noqa: BLE001 - a full queue refuses the one who fills it
                refused.append(error)
                time.sleep(0.02)

    threads = [threading.Thread(target=flood) for _ in range(100)]
    for thread in threads:
        thread.start()
    try:
        ingest = cluster.names("ingest")[0]
        await_state("the queue is full", lambda: cluster.metrics(ingest, "http").get(
            "tokenfactory_ingest_requests_waiting", 0) >= 60)
        between = []
        for _ in range(12):
            before = len(ended)
            assert ask("modest").usage.completion_tokens == 40
            between.append(len(ended) - before)
    finally:
        stop.set()
        for thread in threads:
            thread.join(120)
    assert refused, "the flood was never more than the queue holds"
    # What the slots and the look-ahead hold goes first, and the two take turns: sixty waiting would be far more.
    assert sorted(between)[-2] <= 20, between
    cluster.audit()


def model_with_key(cluster):
    return openai_client(cluster, KEYS["modest"]).models.list().data[0].id
