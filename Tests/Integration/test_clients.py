"""Libraries, agent frameworks and load generators that people use with OpenAI-compatible servers, unchanged.

Their versions are pinned in clients.txt and live in an environment of their own: `scripts/test-clients.sh`, or
`make clients-latest` for the newest. One that is not installed is skipped, but not there: TOKENFACTORY_ALL_CLIENTS=1.
"""

import asyncio
import importlib
import importlib.util
import json
import os
import subprocess
import sys

import pytest

from doors import model

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
PROMPT = "Say something."
ALL = bool(os.environ.get("TOKENFACTORY_ALL_CLIENTS"))


def library(name):
    """The module, or the end of the test: skipped where it may be missing, failed where it must not."""
    return importlib.import_module(name) if ALL else pytest.importorskip(name)


@pytest.fixture(scope="module")
def base(shared):
    return shared.http + "/v1"


@pytest.fixture(scope="module")
def name(shared):
    return model(shared)


def test_openai(base, name):
    openai = library("openai")
    client = openai.OpenAI(base_url=base, api_key="none", max_retries=0)
    raw = client.chat.completions.with_raw_response.create(
        model=name, messages=[{"role": "user", "content": PROMPT}], max_tokens=8, n=2,
        extra_headers={"X-Request-Id": "my label"}, extra_body={"my_field": 1})
    assert raw.headers["x-request-id"] == "my label" and raw.headers["x-ignored-fields"] == "my_field"
    answer = raw.parse()
    assert [choice.index for choice in answer.choices] == [0, 1] and answer.usage.completion_tokens == 16
    several = client.completions.create(model=name, prompt=["one", "two", "three"], max_tokens=4)
    assert [choice.index for choice in several.choices] == [0, 1, 2]
    last = None
    for chunk in client.chat.completions.create(
            model=name, messages=[{"role": "user", "content": PROMPT}], max_tokens=8, stream=True,
            stream_options={"include_usage": True}, extra_body={"stream_options": {
                "include_usage": True, "continuous_usage_stats": True}}):
        assert chunk.usage.prompt_tokens > 0
        last = chunk
    assert last.usage.completion_tokens == 8
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="none", messages=[{"role": "user", "content": PROMPT}])


def test_openai_asynchronous(base, name):
    openai = library("openai")

    async def ask():
        async with openai.AsyncOpenAI(base_url=base, api_key="none", max_retries=0) as client:
            chunks = await client.chat.completions.create(
                model=name, messages=[{"role": "user", "content": PROMPT}], max_tokens=8, stream=True)
            return [chunk async for chunk in chunks]

    assert asyncio.run(ask())[-1].choices[0].finish_reason == "length"


def long_prompt(shared):
    """More tokens than any context here has."""
    return "word " * 400_000


def test_litellm(shared, base, name):
    litellm = library("litellm")
    arguments = dict(model="openai/" + name, api_base=base, api_key="none", num_retries=0, max_tokens=8)
    answer = litellm.completion(messages=[{"role": "user", "content": PROMPT}], **arguments)
    assert answer.choices[0].message.content and answer.usage.completion_tokens == 8
    chunks = list(litellm.completion(messages=[{"role": "user", "content": PROMPT}], stream=True, **arguments))
    assert chunks[-1].choices[0].finish_reason == "length"
    # Its own classifier of errors.
    with pytest.raises(litellm.ContextWindowExceededError):
        litellm.completion(messages=[{"role": "user", "content": long_prompt(shared)}], **arguments)


def test_langchain(shared, base, name):
    langchain = library("langchain_openai")
    chat = langchain.ChatOpenAI(model=name, base_url=base, api_key="none", max_tokens=8, max_retries=0)
    answer = chat.invoke([("system", "Be brief."), ("user", PROMPT)])
    assert answer.content and answer.response_metadata["finish_reason"] == "length"
    assert "".join(chunk.content for chunk in chat.stream(PROMPT))
    assert len(chat.batch([PROMPT] * 3)) == 3
    from langchain_core import exceptions
    expected = getattr(exceptions, "ContextOverflowError", None)
    if expected is None:
        import openai
        expected = openai.BadRequestError
    with pytest.raises(expected):
        chat.invoke(long_prompt(shared))


def test_llama_index(base, name):
    like = library("llama_index.llms.openai_like")
    llm = like.OpenAILike(model=name, api_base=base, api_key="none", is_chat_model=True, max_tokens=8, max_retries=0)
    assert str(llm.complete(PROMPT))
    assert "".join(part.delta or "" for part in llm.stream_complete(PROMPT))


def test_pydantic_ai(base, name):
    pydantic_ai = library("pydantic_ai")
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    provider = OpenAIProvider(base_url=base, api_key="none")
    agent = pydantic_ai.Agent(
        OpenAIChatModel(name, provider=provider), system_prompt="Be brief.", model_settings={"max_tokens": 8})
    first = agent.run_sync(PROMPT)
    assert first.output
    assert agent.run_sync("And more.", message_history=first.all_messages()).output


def test_instructor(base, name):
    instructor = library("instructor")
    openai = library("openai")
    client = instructor.from_openai(openai.OpenAI(base_url=base, api_key="none"), mode=instructor.Mode.MD_JSON)
    answer = client.chat.completions.create(
        model=name, messages=[{"role": "user", "content": PROMPT}], max_tokens=8, response_model=None)
    assert answer.choices[0].message.content


def test_haystack(base, name):
    generators = library("haystack.components.generators.chat")
    from haystack.dataclasses import ChatMessage
    from haystack.utils import Secret

    generator = generators.OpenAIChatGenerator(
        model=name, api_base_url=base, api_key=Secret.from_token("none"), generation_kwargs={"max_tokens": 8})
    assert generator.run([ChatMessage.from_user(PROMPT)])["replies"][0].text


def test_httpx_and_aiohttp(base, name):
    httpx, aiohttp = library("httpx"), library("aiohttp")
    body = {"model": name, "prompt": PROMPT, "max_tokens": 8, "stream": True}

    def events(lines):
        return [line[6:] for line in lines if line.startswith("data: ")]

    with httpx.Client() as client, client.stream("POST", base + "//completions/", json=body) as answer:
        found = events(answer.iter_lines())
    assert found[-1] == "[DONE]" and json.loads(found[0])["choices"]

    async def ask():
        async with aiohttp.ClientSession() as session:
            async with session.post(base + "/completions", json=body, compress="gzip") as answer:
                assert answer.status == 200
                return (await answer.text()).splitlines()

    assert events(asyncio.run(ask()))[-1] == "[DONE]"


def test_locust(base, name, tmp_path):
    # Importing it changes the sockets of this process.
    if importlib.util.find_spec("locust") is None and not ALL:
        pytest.skip("locust is not installed")
    script = tmp_path / "locustfile.py"
    script.write_text(f"""
from locust import HttpUser, task


class Client(HttpUser):
    @task
    def ask(self):
        self.client.post("/v1/chat/completions", json={{
            "model": {name!r}, "max_tokens": 4, "messages": [{{"role": "user", "content": "hi"}}]}})
""")
    run = subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(script), "--headless", "-u", "4", "-r", "4", "-t", "3s", "--json",
         "-H", base.removesuffix("/v1")], capture_output=True, text=True, timeout=90)
    assert run.returncode == 0, run.stderr[-2000:]
    stats = json.loads(run.stdout)
    assert stats[0]["num_requests"] > 4 and stats[0]["num_failures"] == 0


def test_schemathesis(base, tmp_path):
    """Requests made of the door's own description: none is answered with a fault of the server's."""
    library("schemathesis")
    executable = os.path.join(os.path.dirname(sys.executable), "schemathesis")
    # A request that asks to be given up after a millisecond is.
    (tmp_path / "schemathesis.toml").write_text(
        '[checks.not_a_server_error]\nexpected-statuses = ["2xx", "3xx", "4xx", 504]\n')
    run = subprocess.run(
        [executable, "run", base.removesuffix("/v1") + "/openapi.json", "--checks", "not_a_server_error",
         "--phases", "fuzzing,coverage", "--max-examples", "25", "--request-timeout", "30", "--seed", "1",
         "--exclude-path-regex", "/healthz|/health|/ping"],
        capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
