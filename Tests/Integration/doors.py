"""Clients of both doors, small enough to see through."""

import concurrent.futures
import importlib.util
import json
import pathlib
import urllib.request
import uuid

import openai

ROOT = pathlib.Path(__file__).resolve().parents[2]


def load(path, name):
    """A script of the repository as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


corpus = load("scripts/corpus.py", "corpus").corpus


def python_client():
    """The example client, as a module: the wire's second implementation."""
    return load("examples/python_client.py", "python_client")


def openai_client(cluster, key="none"):
    return openai.OpenAI(base_url=cluster.http + "/v1", api_key=key, max_retries=0, timeout=60)


def model(cluster, key="none"):
    return openai_client(cluster, key).models.list().data[0].id


def new_id():
    return uuid.uuid4().hex


def chat(cluster, prompt, stream=False, request_id=None, on_text=None, **options):
    """Text, finish reason and usage of one chat completion over HTTP; `on_text` is called as a stream's pieces come."""
    headers = {"X-Request-ID": request_id} if request_id else {}
    client = openai_client(cluster)
    arguments = dict(model=model(cluster), messages=[{"role": "user", "content": prompt}], extra_headers=headers)
    extra = {key: options.pop(key) for key in ("ignore_eos", "min_tokens", "top_k") if key in options}
    arguments |= options | {"extra_body": extra}
    if not stream:
        answer = client.chat.completions.create(**arguments)
        return answer.choices[0].message.content, answer.choices[0].finish_reason, answer.usage
    text, reason, usage = [], None, None
    for chunk in client.chat.completions.create(
            stream=True, stream_options={"include_usage": True}, **arguments):
        if chunk.usage:
            assert chunk.choices == []
            usage = chunk.usage
        for choice in chunk.choices:
            text.append(choice.delta.content or "")
            if on_text and choice.delta.content:
                on_text()
            reason = choice.finish_reason or reason
    return "".join(text), reason, usage


def post(cluster, path, body, headers=None, timeout=30):
    """Status, headers and JSON of a raw POST; `body` is bytes or a value."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(cluster.http + path, data=data, method="POST",
                                     headers={"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.headers, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, error.headers, json.loads(error.read() or b"null")


def together(functions):
    """Runs all at once, each in a thread; their results in order."""
    with concurrent.futures.ThreadPoolExecutor(len(functions)) as pool:
        return [future.result() for future in [pool.submit(f) for f in functions]]
