"""TLS at both HTTP doors, with certificates that openssl makes."""

import http.client
import json
import os
import socket
import ssl
import subprocess

import httpx
import openai
import pytest

from cluster import BIN, await_state


class Certificate:
    """A certificate of 127.0.0.1 and its key, as files that can be replaced."""

    def __init__(self, folder):
        self.folder, self.certificate, self.key = folder, folder / "door.pem", folder / "door.key"
        self.replace()

    def make(self, name):
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
             "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out",
             str(certificate)], check=True, capture_output=True)
        return certificate, key

    def replace(self):
        certificate, key = self.make("next")
        self.pem = certificate.read_text()
        os.replace(certificate, self.certificate)
        os.replace(key, self.key)

    def context(self):
        return ssl.create_default_context(cadata=self.pem)

    @property
    def options(self):
        return ["--tls-certificate", str(self.certificate), "--tls-key", str(self.key)]


def ask(address, path, context, body=None):
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=10)
    try:
        connection.request("POST" if body else "GET", path, body and json.dumps(body),
                           {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def served(address):
    """What the door serves now, in PEM."""
    host, port = address.rsplit(":", 1)
    return ssl.get_server_certificate((host, int(port)), timeout=10).split()


def restart(process, options):
    """Starts a station again at the same places, with further options."""
    endpoints = process.endpoints
    for name in ("client-door", "tokenizer-link", "ledger-link", "http"):
        if f"--{name}" in process.arguments:
            process.arguments[process.arguments.index(f"--{name}") + 1] = endpoints[name]
    process.terminate()
    assert process.wait() == 0
    process.arguments += options
    process.start()
    return process.endpoints


@pytest.fixture
def certificate(tmp_path):
    return Certificate(tmp_path)


def test_a_line_is_used_over_tls_and_plain_http_is_refused(start, certificate):
    cluster = start()
    address = restart(cluster.names("ingest")[0], certificate.options)["http"]
    context = certificate.context()
    await_state("the line is whole", lambda: ask(address, "/healthz", context)[0] == 200)
    client = openai.OpenAI(base_url=f"https://{address}/v1", api_key="none", max_retries=0,
                           http_client=httpx.Client(verify=context))
    model = client.models.list().data[0].id
    messages = [{"role": "user", "content": "In secret."}]
    whole = client.chat.completions.create(model=model, messages=messages, max_tokens=64, temperature=0)
    assert whole.usage.completion_tokens == 64
    parts = [chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(
        model=model, messages=messages, max_tokens=64, temperature=0, stream=True) if chunk.choices]
    assert "".join(parts) == whole.choices[0].message.content
    # A body of many records, and its answer.
    status, body = ask(address, "/v1/completions", context,
                       {"model": model, "prompt": "x" * 3_000_000, "max_tokens": 1})
    assert status == 400 and b"maximum context length" in body
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as plain:
        plain.sendall(b"GET /livez HTTP/1.1\r\nHost: door\r\n\r\n")
        assert b"HTTP/1.1" not in plain.recv(1000)


def test_a_certificate_that_changes_is_served_and_a_bad_one_is_not(start, certificate):
    cluster = start()
    ingest = cluster.names("ingest")[0]
    address = restart(ingest, certificate.options)["http"]
    first = certificate.pem.split()
    assert served(address) == first
    host, port = address.rsplit(":", 1)
    kept = http.client.HTTPSConnection(host, int(port), context=certificate.context(), timeout=10)
    kept.request("GET", "/livez")
    assert kept.getresponse().read()
    certificate.replace()
    second = certificate.pem.split()
    await_state("the new certificate is served", lambda: served(address) == second)
    # Nothing that was open has ended.
    kept.request("GET", "/livez")
    assert kept.getresponse().status == 200
    certificate.make("door.other")[1].replace(certificate.key)

    def failures():
        text = ask(address, "/metrics", certificate.context())[1].decode()
        return "tokenfactory_http_certificate_failures_total 1" in text

    await_state("a key of another certificate is counted", failures)
    assert served(address) == second and "is not the key of the certificate" in ingest.log()
    certificate.replace()
    await_state("a good pair is served again", lambda: served(address) == certificate.pem.split())


def test_reports_are_read_over_tls(start, certificate):
    cluster = start()
    address = restart(cluster.accounting, certificate.options)["http"]
    await_state("accounting is well", lambda: ask(address, "/healthz", certificate.context())[0] == 200)
    assert ask(address, "/v1/report", certificate.context())[0] == 200
    certificate.replace()
    await_state("the new certificate is served", lambda: served(address) == certificate.pem.split())


def test_bad_settings_of_tls_stop_the_start_and_are_named(certificate, tmp_path):
    other, _ = certificate.make("other")
    text = tmp_path / "text"
    text.write_text("no certificate")
    for program in ("ingest", "accounting"):
        for options, named in [
            (["--tls-certificate", str(certificate.certificate)], "tls-key"),
            (["--tls-key", str(certificate.key)], "tls-certificate"),
            (["--tls-certificate", str(tmp_path / "none"), "--tls-key", str(certificate.key)], "tls-certificate"),
            (["--tls-certificate", str(text), "--tls-key", str(certificate.key)], "tls-certificate"),
            (["--tls-certificate", str(certificate.certificate), "--tls-key", str(text)], "tls-key"),
            (["--tls-certificate", str(other), "--tls-key", str(certificate.key)], "tls-key"),
        ]:
            run = subprocess.run([str(BIN / program), *options], capture_output=True, text=True, timeout=30)
            assert run.returncode != 0 and named in run.stdout + run.stderr, (options, run.stderr)
