"""The line of compose.yaml in real containers: up, load, scale, a killed worker, a drained one, books, down.

Needs a Docker engine and an image (TOKENFACTORY_IMAGE); `scripts/test-compose.sh` makes one. Everything is read from
inside the containers, so the engine may be anywhere. Waits are for states, each with a deadline
(TOKENFACTORY_TEST_DEADLINE, seconds).
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEADLINE = float(os.environ.get("TOKENFACTORY_TEST_DEADLINE", "120"))
PROJECT = f"tftest{os.getpid()}"
DATABASE = "/var/lib/tokenfactory/ledger/ledger.sqlite"
STATIONS = ("accounting", "ingest", "tokenizer", "inference-worker")
# What the modelled accelerator's steps take is stretched, so that load lasts while workers come and go.
ENVIRONMENT = dict(
    os.environ, COMPOSE_PROJECT_NAME=PROJECT, TOKENFACTORY_ENGINE="simulated",
    TOKENFACTORY_TIME_SCALE=os.environ.get("TOKENFACTORY_TEST_TIME_SCALE", "3"), TOKENFACTORY_HTTP_PORT="0",
    TOKENFACTORY_CLIENT_PORT="0", TOKENFACTORY_REPORT_PORT="0")


class Failed(Exception):
    pass


def command(*words, deadline=DEADLINE, check=True, **more):
    run = subprocess.run(words, capture_output=True, text=True, timeout=deadline, env=ENVIRONMENT, cwd=ROOT, **more)
    if check and run.returncode != 0:
        raise Failed(f"{' '.join(words)}: exit status {run.returncode}\n{run.stdout[-2000:]}{run.stderr[-3000:]}")
    return run


def find_compose():
    if subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        return ["docker", "compose"]
    return ["docker-compose"]


COMPOSE = [*find_compose(), "-f", "compose.yaml"]


def compose(*words, **more):
    return command(*COMPOSE, *words, **more)


def docker(*words, **more):
    return command("docker", *words, **more)


def await_state(what, probe, deadline=DEADLINE):
    """Returns the first true value of `probe`, asked again and again; fails with `what` after the deadline."""
    end = time.monotonic() + deadline
    last = None
    while time.monotonic() < end:
        try:
            value = probe()
            if value:
                return value
        except (ValueError, KeyError, Failed) as error:
            last = error
        time.sleep(0.2)
    raise Failed(f"not within {deadline} s: {what}" + (f" ({last})" if last else ""))


def containers(service, state="running"):
    """Ids of a service's containers, in the order of their numbers."""
    rows = docker(
        "ps", "-a", "--no-trunc", "--format", '{{.ID}} {{.State}} {{.Label "com.docker.compose.container-number"}}',
        "--filter", f"label=com.docker.compose.project={PROJECT}",
        "--filter", f"label=com.docker.compose.service={service}",
        "--filter", "label=com.docker.compose.oneoff=False").stdout.split("\n")
    fields = [row.split() for row in rows if row]
    return [row[0] for row in sorted(fields, key=lambda row: int(row[2])) if state in (None, row[1])]


def inspect(container):
    return json.loads(docker("inspect", container).stdout)[0]


KEY = []


def api_key():
    """The key that `up` made, read as compose.yaml says."""
    if not KEY:
        KEY.append(compose("run", "--rm", "--no-deps", "-T", "--entrypoint", "cat", "loadgen",
                           "/site/client/api-key").stdout.split()[-1])
    return KEY[0]


def get(container, port, path):
    """Body of a GET, sent from inside the container."""
    script = (f"exec 3<>/dev/tcp/127.0.0.1/{port}; "
              f"printf 'GET {path} HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n"
              f"Authorization: Bearer {api_key()}\\r\\n\\r\\n' >&3; cat <&3")
    answer = docker("exec", container, "bash", "-c", script).stdout
    head, _, body = answer.partition("\n\n")
    if " 200 " not in head.split("\n")[0]:
        raise Failed(f"GET {path}: {head[:200]!r}")
    return body


def metrics(container, port):
    rows = (line.rsplit(" ", 1) for line in get(container, port, "/metrics").splitlines()
            if line and not line.startswith("#") and " " in line)
    return {name: float(value) for name, value in rows}


def value(container, port, name):
    found = [number for key, number in metrics(container, port).items() if key.split("{")[0] == name]
    if not found:
        raise Failed(f"no metric {name}")
    return sum(found)


def worker_name(container):
    return f"inference-worker-{container[:12]}"


def report(grouping):
    body = get(containers("accounting")[0], 8081, f"/v1/report?by={grouping}")
    return json.loads(body[body.index("{"):body.rindex("}") + 1])


def tokens_by_worker():
    """Tokens that the ledger has from each worker."""
    return {row["name"]: row["produced_tokens"] for row in report("worker")["rows"]}


def totals():
    """Of all requests: how many there are, how they ended, what was billed."""
    return report("tenant")["total"]


def load(*words):
    """Starts the load generator as compose.yaml has it."""
    return subprocess.Popen(
        [*COMPOSE, "run", "--rm", "-T", "loadgen", "--ledger-deadline", str(DEADLINE), *words],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT,
        cwd=ROOT)


def finish(running, deadline=2 * DEADLINE):
    """Waits for the load generator; fails unless every answer was complete and in the ledger."""
    try:
        output, _ = running.communicate(timeout=deadline)
    except subprocess.TimeoutExpired:
        running.kill()
        raise
    print(output[-1500:].rstrip())
    if running.returncode != 0:
        raise Failed(f"loadgen: exit status {running.returncode}")
    return output


def await_healthy():
    def probe():
        found = {service: containers(service) for service in STATIONS}
        return all(found.values()) and all(
            inspect(each)["State"]["Health"]["Status"] == "healthy" for ids in found.values() for each in ids)

    await_state("all containers are healthy", probe)
    await_state("the line is whole", lambda: get(containers("ingest")[0], 8080, "/healthz") is not None)


PASSED, FAILED = [], []


def step(name):
    def run(body):
        begin = time.monotonic()
        try:
            body()
        except (Failed, subprocess.TimeoutExpired, AssertionError, IndexError) as error:
            FAILED.append(name)
            print(f"FAILED  {name}: {error}", flush=True)
            # What follows stands on it.
            raise SystemExit from error
        PASSED.append(name)
        print(f"passed  {name} ({time.monotonic() - begin:.1f} s)", flush=True)

    return run


def test():
    @step("the image has every library and is not root's")
    def _():
        image = ENVIRONMENT["TOKENFACTORY_IMAGE"]
        names = "ingest tokenizer inference-worker accounting loadgen factory"
        script = f'for name in {names}; do ldd "$(command -v $name)"; done; id -u'
        output = docker("run", "--rm", image, "bash", "-c", script).stdout
        assert "not found" not in output, output
        assert output.split()[-1] == "10001", output[-200:]

    @step("up: every station is healthy and the line is whole")
    def _():
        compose("up", "-d", "--no-build")
        await_healthy()

    @step("neighbours alone share a network, and nobody may do more than it must")
    def _():
        wanted = {
            "accounting": {"door", "ledger-ingest", "ledger-tokenizer", "ledger-worker"},
            "ingest": {"door", "line-tokenizer", "ledger-ingest"},
            "tokenizer": {"line-tokenizer", "line-worker", "ledger-tokenizer"},
            "inference-worker": {"line-worker", "ledger-worker"},
        }
        for service, networks in wanted.items():
            for each in containers(service):
                found = inspect(each)
                names = {name.removeprefix(PROJECT + "_") for name in found["NetworkSettings"]["Networks"]}
                assert names == networks, f"{service} is on {names}"
                host = found["HostConfig"]
                assert host["ReadonlyRootfs"] and "ALL" in host["CapDrop"], service
                assert any("no-new-privileges" in option for option in host["SecurityOpt"]), service
                for other, others in wanted.items():
                    seen = docker("exec", each, "getent", "hosts", other, check=False).returncode == 0
                    if networks & others:
                        assert seen, f"{service} does not find {other}"
                    elif seen:
                        # Some engines resolve every name and keep networks apart otherwise, or not at all.
                        print(f"skipped: this engine lets {service} resolve {other}")
        for name in ("line-tokenizer", "line-worker", "ledger-ingest", "ledger-tokenizer", "ledger-worker"):
            assert json.loads(docker("network", "inspect", f"{PROJECT}_{name}").stdout)[0]["Internal"], name

    @step("a role reads its own secret key and nobody else's")
    def _():
        for service in STATIONS:
            listing = docker("exec", containers(service)[0], "sh", "-c", "ls /site/*/link.key 2>/dev/null",
                             check=False).stdout.split()
            assert listing == [f"/site/{service}/link.key"], f"{service} sees {listing}"
        for service in ("ingest", "tokenizer", "inference-worker"):
            assert docker("exec", containers(service)[0], "ls", "/var/lib/tokenfactory/ledger",
                          check=False).stdout.strip() == "", f"{service} sees the ledger"
        spools = {service: mount["Name"] for service in STATIONS for mount in inspect(containers(service)[0])["Mounts"]
                  if mount["Destination"] == "/var/lib/tokenfactory/spool"}
        assert len(set(spools.values())) == len(STATIONS), f"spools are shared: {spools}"

    @step("run loadgen: every answer is complete and in the ledger")
    def _():
        finish(load("--streams", "8", "--requests", "64"))

    @step("scale 1 to 3 under load: all three workers make tokens")
    def _():
        running = load("--streams", "40", "--duration", "35", "--max-tokens", "48", "--ignore-eos")
        try:
            first = containers("inference-worker")[0]
            await_state("the load has begun", lambda: value(first, 9102, "tokenfactory_worker_requests_held") > 0)
            compose("up", "-d", "--no-build", "--scale", "inference-worker=3")
            assert running.poll() is None, "the load ended before the workers came"
            workers = await_state(
                "three workers", lambda: containers("inference-worker")[2:] and containers("inference-worker"))
            await_state("all three make tokens", lambda: all(value(each, 9102, "tokenfactory_worker_tokens_total") > 0
                                                              for each in workers))
            assert running.poll() is None, "the load ended before all three made tokens"
        except BaseException:
            running.kill()
            raise
        finish(running)
        made = tokens_by_worker()
        assert all(made.get(worker_name(each), 0) > 0 for each in workers), made

    @step("docker kill of one worker, drain of another, both under load: nothing is lost")
    def _():
        tokenizer = containers("tokenizer")[0]
        before = value(tokenizer, 9101, "tokenfactory_tokenizer_lost_attempts_total")
        running = load("--streams", "40", "--duration", "20", "--max-tokens", "48", "--ignore-eos")
        first, second, third = containers("inference-worker")
        await_state("the victim holds work", lambda: value(second, 9102, "tokenfactory_worker_requests_held") > 4)
        docker("kill", second)
        await_state("its work was dispatched again",
                    lambda: value(tokenizer, 9101, "tokenfactory_tokenizer_lost_attempts_total") > before)
        await_state("the next holds work", lambda: value(third, 9102, "tokenfactory_worker_requests_held") > 4)
        assert running.poll() is None, "the load ended too early"
        with subprocess.Popen(["docker", "wait", third], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as waiting:
            compose("up", "-d", "--no-build", "--scale", "inference-worker=1")
            status = waiting.communicate(timeout=DEADLINE)[0].strip()
        assert status == "0", f"the drained worker's exit status is {status}"
        finish(running)
        assert containers("inference-worker") == [first]

    @step("docker kill of the ingest in mid-stream: its next life settles what clients had got")
    def _():
        ingest = containers("ingest")[0]
        running = load("--streams", "16", "--duration", "30", "--max-tokens", "4000", "--ignore-eos")
        try:
            await_state("streams have tokens", lambda: value(
                containers("inference-worker")[0], 9102, "tokenfactory_worker_requests_held") >= 16)
            before = totals()
            docker("kill", ingest)
        finally:
            # With its container: the client alone would leave it asking.
            for each in docker("ps", "-q", "--filter", f"label=com.docker.compose.project={PROJECT}",
                               "--filter", "label=com.docker.compose.service=loadgen").stdout.split():
                docker("rm", "-f", each)
            running.kill()
            running.wait()
        compose("up", "-d", "--no-build")
        await_healthy()

        def ended():
            now = totals()
            return now["settled"] + now["void"] == now["requests"] and now

        now = await_state("what was open is settled", ended)
        assert now["settled"] - before["settled"] >= 16 and not now["expired"], (before, now)
        assert now["billed_tokens"] > before["billed_tokens"], (before, now)

    @step("the model itself answers")
    def _():
        # One thread: libllama's wait for each other, and the machine may have other work for its cores.
        ENVIRONMENT.update(TOKENFACTORY_ENGINE="llama", TOKENFACTORY_THREADS="1")
        compose("up", "-d", "--no-build", "inference-worker")
        await_healthy()
        finish(load("--streams", "2", "--requests", "4", "--max-tokens", "16", "--temperature", "0"))

    @step("factory audit finds nothing")
    def _():
        ports = {"ingest": 8080, "tokenizer": 9101, "inference-worker": 9102}
        await_state("all events are in the ledger", lambda: all(
            value(each, port, f"tokenfactory_{name}_ledger_events_pending") == 0
            for service, port in ports.items() for name in [service.removeprefix("inference-")]
            for each in containers(service)))
        print(docker("exec", containers("accounting")[0], "factory", "audit", "--database", DATABASE).stdout.rstrip())

    @step("stop: every station drains and exits 0 inside its grace")
    def _():
        found = [each for service in STATIONS for each in containers(service)]
        compose("stop")
        states = {inspect(each)["Name"]: inspect(each)["State"]["ExitCode"] for each in found}
        assert not any(states.values()), states

    @step("down -v leaves nothing")
    def _():
        compose("down", "-v", "--remove-orphans")
        label = f"label=com.docker.compose.project={PROJECT}"
        left = [docker(kind, "ls", "-q", *more, "--filter", label).stdout.strip()
                for kind, more in (("container", ["-a"]), ("volume", []), ("network", []))]
        assert not any(left), left


def show_logs():
    for service in STATIONS:
        for each in containers(service, state=None):
            run = docker("logs", "--tail", "25", each, check=False)
            print(f"--- {service} {each[:12]}\n{(run.stdout + run.stderr)[-4000:]}")


def stop_on_signal(*_):
    raise KeyboardInterrupt


def main():
    signal.signal(signal.SIGTERM, stop_on_signal)
    try:
        test()
    except SystemExit:
        show_logs()
    except KeyboardInterrupt:
        FAILED.append("interrupted")
    finally:
        # Containers of `run` that were cut off do not go by `down` of every Compose.
        label = f"label=com.docker.compose.project={PROJECT}"
        ours = docker("ps", "-aq", "--filter", label, check=False).stdout.split()
        if ours:
            docker("rm", "-f", *ours, check=False)
        compose("down", "-v", "--remove-orphans", "-t", "1", check=False)
    print(f"{len(PASSED)} passed, {len(FAILED)} failed")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
