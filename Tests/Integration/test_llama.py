"""The real engine: the same answer whichever way it is asked for, and none lost when a worker dies."""

import os
import subprocess
import sys
import threading

import pytest

from cluster import Cluster, await_state
from doors import ROOT, chat, model, new_id, openai_client, together

QUESTION = "Why is the sky blue?"
PROMPTS = ["Write a story about the sea.", "Name three facts about bees.", "Give advice on sleep.",
           "Describe winter to a child.", "Write a poem about bridges.", "Explain gravity in one sentence."]
TOKENS = 40
# llama.cpp's sums may depend on what else is in a step. At a near-tie of the two best logits a text may then go
# another way; the goal for 200 prompts is 2 %, so of six hardly ever one.
MAY_DIFFER = 1


def engine(threads):
    return dict(engine="llama", slots=8, worker_options=["--context", "4096", "--threads", str(threads)])


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("llama"), **engine(os.cpu_count() or 1)) as cluster:
        yield cluster


def over_zeromq(cluster, prompt, tokens):
    run = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "python_client.py"), "--connect", cluster.door, "--model",
         model(cluster), "--max-tokens", str(tokens), "--temperature", "0", prompt],
        capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    return run.stdout.removesuffix("\n")


def test_one_answer_through_every_door(llama):
    whole, reason, usage = chat(llama, QUESTION, max_tokens=32, temperature=0)
    streamed, streamed_reason, streamed_usage = chat(llama, QUESTION, stream=True, max_tokens=32, temperature=0)
    assert "light" in whole
    assert (streamed, streamed_reason) == (whole, reason)
    assert streamed_usage.prompt_tokens == usage.prompt_tokens
    assert streamed_usage.completion_tokens == usage.completion_tokens
    assert over_zeromq(llama, QUESTION, 32) == whole


def test_a_seed_repeats_a_sampled_answer(llama):
    one, other, third = (chat(llama, QUESTION, max_tokens=24, temperature=1.2, seed=seed)[0] for seed in (7, 7, 8))
    assert one == other != third


class Streams:
    """The prompts, each streamed by a thread, for exactly so many tokens."""

    def __init__(self, cluster):
        self.texts = ["" for _ in PROMPTS]
        self.counts = [None for _ in PROMPTS]
        self.reasons = [None for _ in PROMPTS]
        self.ids = [new_id() for _ in PROMPTS]
        self.name, self.client = model(cluster), openai_client(cluster)

    def run(self):
        together([lambda i=i: self._stream(i) for i in range(len(PROMPTS))])
        return self

    def _stream(self, index):
        chunks = self.client.chat.completions.create(
            model=self.name, messages=[{"role": "user", "content": PROMPTS[index]}], stream=True, max_tokens=TOKENS,
            temperature=0, stream_options={"include_usage": True}, extra_body={"ignore_eos": True},
            extra_headers={"X-Request-ID": self.ids[index]})
        for chunk in chunks:
            if chunk.usage:
                self.counts[index] = chunk.usage.completion_tokens
            for choice in chunk.choices:
                self.texts[index] += choice.delta.content or ""
                self.reasons[index] = choice.finish_reason or self.reasons[index]


def test_kill_one_of_two_workers_mid_stream(start):
    # Both clusters compute with one thread, as two workers share the cores.
    calm = start(workers=1, **engine(1))
    expected = Streams(calm).run().texts
    calm.close()

    cluster = start(workers=2, **engine(1))
    victim, other = cluster.processes["worker-0"], cluster.processes["worker-1"]
    streams = Streams(cluster)
    thread = threading.Thread(target=streams.run)
    thread.start()

    def held(worker):
        return sum(value for name, value in cluster.metrics(worker).items()
                   if name.startswith("tokenfactory_worker_requests_held"))

    await_state("both workers hold work, and every stream has begun",
                lambda: all(streams.texts) and held(victim) > 0 and held(other) > 0)
    victim.kill()
    seen = list(streams.texts)
    thread.join(120)
    assert not thread.is_alive(), "the streams did not end"

    assert streams.counts == [TOKENS] * len(PROMPTS) and set(streams.reasons) == {"length"}
    assert all(text.startswith(begun) for text, begun in zip(streams.texts, seen))
    differing = [i for i, text in enumerate(streams.texts) if text != expected[i]]
    print(f"{len(differing)} of {len(PROMPTS)} texts differ from the undisturbed ones: {differing}")
    assert len(differing) <= MAY_DIFFER
    for i in differing:
        assert expected[i].startswith(seen[i]), "differs before the kill"
    for request_id in streams.ids:
        assert cluster.await_settled(request_id)["delivered_tokens"] == TOKENS
    cluster.audit()
