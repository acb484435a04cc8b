"""The load generator against a server of another make, and the benchmark harness when it is killed."""

import json
import os
import pathlib
import signal
import subprocess

import pytest

from cluster import BIN, await_state
from other_server import LlamaServer, OtherServer

STYLES = [
    "", "crlf pings", "together", "split", "split crlf pings fields", "spaced null-usage", "tight together spaced",
    "together crlf fields null-usage",
]


def loadgen(server, *arguments, path="/api/v1"):
    """Exit status, figures and table of a run against the server."""
    run = subprocess.run(
        [str(BIN / "loadgen"), "--http", server.url, "--base-path", path, "--json", "-", *arguments],
        capture_output=True, text=True, timeout=120)
    return run.returncode, json.loads(run.stdout), run.stderr


@pytest.mark.parametrize("endpoint", ["chat", "completions"])
@pytest.mark.parametrize("answers", [(), ("--show-answers",)])
def test_every_way_to_stream_gives_the_same_count(endpoint, answers):
    with OtherServer(STYLES) as server:
        status, figures, table = loadgen(
            server, "--endpoint", endpoint, "--streams", "4", "--requests", "32", "--max-tokens", "12", "--ignore-eos",
            "--goodput", "ttft:60000", *answers)
        assert status == 0, table
        assert (figures["completed"], figures["failed"]) == (32, 0) and server.requests == 32
        assert figures["total_output_tokens"] == server.tokens == 32 * 12
        assert figures["total_input_tokens"] == 32 * 7 and figures["answers_without_usage"] == 0
        assert figures["model_id"] == "other" and figures["goodput_share"] == 1
        assert 0 < figures["mean_ttft_ms"] <= figures["mean_e2el_ms"]
        if answers:
            assert table.count("Grüße aus 東京 und") == 32


def test_events_count_where_the_server_does_not():
    with OtherServer(["no-usage", "no-usage split crlf"]) as server:
        status, figures, table = loadgen(server, "--requests", "4", "--max-tokens", "10")
        assert status == 0 and figures["answers_without_usage"] == 4
        assert figures["total_output_tokens"] == server.tokens == 40
        assert "without usage" in table


@pytest.mark.parametrize("streams", [1, 4])
def test_a_kept_connection_that_the_server_ended_is_dialled_again(streams):
    with OtherServer([""], ends_kept=True) as server:
        status, figures, table = loadgen(
            server, "--streams", str(streams), "--requests", "24", "--max-tokens", "5", "--ignore-eos")
        assert status == 0, table
        assert (figures["completed"], figures["failed"]) == (24, 0) and server.requests == 24
        assert figures["connections_redialled"] == server.ended > 0
        assert "ended by the server" in table


@pytest.mark.skipif(not LlamaServer.program.exists(), reason="not built: scripts/setup.sh llama-server")
@pytest.mark.parametrize("endpoint", ["chat", "completions"])
def test_llama_cpps_own_server_fails_no_request(endpoint, tmp_path):
    """It ends kept connections when it likes: ten of 48 requests failed so."""
    with LlamaServer(tmp_path / "llama-server.log") as server:
        status, figures, table = loadgen(
            server, "--endpoint", endpoint, "--streams", "4", "--requests", "48", "--max-tokens", "4", "--ignore-eos",
            path="/v1")
        assert status == 0, table
        assert (figures["completed"], figures["failed"]) == (48, 0)
        assert figures["total_output_tokens"] == 48 * 4


@pytest.mark.parametrize("style, reason", [
    ("error", "the other server lost its mind"), ("no-done", "before [DONE]"), ("busy", "too many of you"),
    ("miscount", "usage says 9 tokens"),
])
def test_what_goes_wrong_is_told_and_fails_the_run(style, reason):
    with OtherServer([style]) as server:
        status, figures, table = loadgen(server, "--requests", "2", "--max-tokens", "12")
        assert status == 1 and reason in table
        if style == "busy":
            assert figures["refused"] == 2 and figures["failed"] == 0
        elif style == "miscount":
            assert len(figures["token_mismatches"]) == 2
        else:
            assert figures["failed"] == 2


def test_an_open_loop_holds_each_request_to_the_traces_bounds(tmp_path):
    trace = tmp_path / "trace.jsonl"
    bounds = [{}, {"slo_ttft_ms": 60000}, {"slo_ttft_ms": 0.001}]
    trace.write_text("".join(
        json.dumps({"timestamp": 10 * n, "input_length": 4, "output_length": 3} | bounds[n % 3]) + "\n"
        for n in range(12)))
    with OtherServer([""]) as server:
        status, figures, table = loadgen(server, "--trace", str(trace), "--trace-format", "mooncake")
        assert status == 0, table
        assert figures["completed"] == 12 and figures["goodput_share"] == pytest.approx(8 / 12)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("command", [
    ["hop", "--transport", "ipc", "--modes", "hot", "--bodies", "64", "--rounds", "1000", "--no-grpc"],
    ["line", "--rounds", "1000"],
])
def test_a_killed_benchmark_leaves_nothing_behind(command, number, tmp_path):
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    child = subprocess.Popen([str(BIN / "hopbench"), *command], env=environment, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True,
                             # A shell's background job ignores SIGINT, and its children with it.
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    for line in child.stderr:
        # Its folder and its processes are there when the first round begins.
        if "64 bytes" in line or "round 1" in line:
            break
    assert list(tmp_path.iterdir())
    child.send_signal(number)
    child.wait(30)
    await_state("its folder is gone", lambda: not list(tmp_path.iterdir()))
    # The last process is the one that removes the folder.
    await_state("its processes are gone", lambda: not any(
        str(tmp_path).encode() in path.read_bytes() for path in pathlib.Path("/proc").glob("[0-9]*/cmdline")))
