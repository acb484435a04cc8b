"""What a door says of itself, while it is full and while something is wrong."""

import threading

from cluster import await_state, get
from doors import model, post


def test_livez_answers_while_the_door_is_full(start):
    cluster = start(workers=1, slots=2, time_scale=1.0, admission=8)
    body = {"model": model(cluster), "prompt": [1, 2, 3], "max_tokens": 2000, "stream": False}
    is_over = threading.Event()
    statuses = []

    def ask():
        while not is_over.is_set():
            try:
                statuses.append(post(cluster, "/v1/completions", body, timeout=120)[0])
            except OSError:
                return

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(64)]
    for thread in threads:
        thread.start()
    await_state("the door is full", lambda: statuses.count(429) > 50)
    before = len(statuses)
    for _ in range(100):
        # Far below a client's patience; a probe of Kubernetes has one second.
        assert get(cluster.http + "/livez", timeout=1)[0] == 200
    assert len(statuses) > before and statuses.count(429) > 50
    is_over.set()


def test_health_knows_of_events_that_wait_and_of_links_without_a_peer(start):
    cluster = start(workers=1, ingest_options=["--pending-events", "20"])
    body = {"model": model(cluster), "prompt": [1, 2, 3], "max_tokens": 1, "n": 16}
    cluster.accounting.kill()
    for _ in range(2):
        assert post(cluster, "/v1/completions", body)[0] == 200
    status, text = get(cluster.http + "/healthz")
    assert status == 503 and b"events wait for accounting" in text
    assert get(cluster.http + "/livez")[0] == 200
    cluster.accounting.start()
    await_state("it is well again", lambda: get(cluster.http + "/healthz")[0] == 200)
    cluster.processes["tokenizer-0"].kill()
    await_state("the link has no peer", lambda: b"no tokenizer has a session" in get(cluster.http + "/healthz")[1],
                deadline=10)
    assert get(cluster.http + "/healthz")[0] == 503
