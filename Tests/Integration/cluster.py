"""A loopback cluster of the real executables, for tests: ephemeral ports, one folder, every process by name."""

import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("TOKENFACTORY_BIN", ROOT / ".build" / "release"))
DEADLINE = float(os.environ.get("TOKENFACTORY_TEST_DEADLINE", "60"))


def await_state(what, probe, deadline=DEADLINE):
    """Returns the first true value of `probe`, asked again and again; fails with `what` after the deadline."""
    end = time.monotonic() + deadline
    last = None
    while time.monotonic() < end:
        try:
            value = probe()
            if value:
                return value
        except (OSError, ValueError, KeyError) as error:
            last = error
        time.sleep(0.02)
    raise AssertionError(f"not within {deadline} s: {what} ({last})")


def get(url, timeout=10):
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


class Process:
    def __init__(self, cluster, program, name, arguments, folder=BIN):
        self.cluster, self.program, self.name = cluster, program, name
        self.ports_file = cluster.folder / f"{name}.ports.json"
        self.log_path = cluster.folder / f"{name}.log"
        self.arguments = [str(folder / program), "--name", name, "--ports-file", str(self.ports_file), *arguments]
        self.child = None
        self.descriptors = cluster.descriptors.get(program)

    def start(self):
        self.ports_file.unlink(missing_ok=True)
        with open(self.log_path, "ab") as log:
            # What the shell limits is the hard limit, too: the program cannot raise it.
            limited = ["sh", "-c", f'ulimit -n {self.descriptors}; exec "$@"', "sh"] if self.descriptors else []
            self.child = subprocess.Popen(
                [*limited, *self.arguments], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        return self

    @property
    def endpoints(self):
        def read():
            if self.child.poll() is not None:
                raise AssertionError(f"{self.name} exited with {self.child.returncode}:\n{self.log()[-3000:]}")
            return json.loads(self.ports_file.read_text())["endpoints"]

        return await_state(f"{self.name} serves", read)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def kill(self):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()

    def terminate(self):
        self.child.send_signal(signal.SIGTERM)

    def wait(self, deadline=DEADLINE):
        return self.child.wait(deadline)

    @property
    def alive(self):
        return self.child is not None and self.child.poll() is None


class Cluster:
    """`workers` and the rest can be added while it runs; `close` ends all and keeps the folder for reading."""

    def __init__(self, folder, engine="simulated", tokenizers=1, workers=1, ingests=1, slots=64, time_scale=0.0,
                 admission=1024, ingest_options=(), tokenizer_options=(), worker_options=(), accounting_options=(),
                 programs=BIN,
                 descriptors=None):
        self.descriptors = descriptors or {}
        self.folder = pathlib.Path(folder)
        self.engine, self.slots, self.time_scale, self.admission = engine, slots, time_scale, admission
        self.ingest_options, self.worker_options = list(ingest_options), list(worker_options)
        self.tokenizer_options = list(tokenizer_options)
        self.processes, self.programs = {}, pathlib.Path(programs)
        self.database = self.folder / "ledger.sqlite"
        self.accounting = self.add("accounting", "accounting", [
            "--ledger-link", "tcp://127.0.0.1:0", "--http", "127.0.0.1:0", "--database", str(self.database),
            *accounting_options])
        self.ledger_link = self.accounting.endpoints["ledger-link"]
        # A restart must come back at the same place.
        self.accounting.arguments[self.accounting.arguments.index("--ledger-link") + 1] = self.ledger_link
        http = self.accounting.endpoints["http"]
        self.accounting.arguments[self.accounting.arguments.index("--http") + 1] = http
        for _ in range(ingests):
            self.add_ingest()
        for _ in range(tokenizers):
            self.add_tokenizer()
        for _ in range(workers):
            self.add_worker()
        self.await_ready()

    def add(self, program, name, arguments):
        if "--spool-directory" not in arguments:
            arguments = ["--spool-directory", str(self.folder / "spool"), *arguments]
        process = Process(self, program, name, arguments, self.programs)
        self.processes[name] = process
        return process.start()

    def names(self, program):
        return [p for p in self.processes.values() if p.program == program]

    def add_ingest(self):
        return self.add("ingest", f"ingest-{len(self.names('ingest'))}", [
            "--client-door", "tcp://127.0.0.1:0", "--tokenizer-link", "tcp://127.0.0.1:0", "--http", "127.0.0.1:0",
            "--accounting", self.ledger_link, "--admission", str(self.admission), *self.ingest_options])

    def add_tokenizer(self):
        ingests = ",".join(p.endpoints["tokenizer-link"] for p in self.names("ingest"))
        return self.add("tokenizer", f"tokenizer-{len(self.names('tokenizer'))}", [
            "--ingest", ingests, "--worker-link", "tcp://127.0.0.1:0", "--accounting", self.ledger_link,
            "--admin", "127.0.0.1:0", *self.tokenizer_options])

    def add_worker(self):
        tokenizers = ",".join(p.endpoints["worker-link"] for p in self.names("tokenizer") if p.alive)
        return self.add("inference-worker", f"worker-{len(self.names('inference-worker'))}", [
            "--tokenizer", tokenizers, "--accounting", self.ledger_link, "--admin", "127.0.0.1:0", "--engine",
            self.engine, "--slots", str(self.slots), "--time-scale", str(self.time_scale), *self.worker_options])

    @property
    def http(self):
        return "http://" + self.names("ingest")[0].endpoints["http"]

    @property
    def door(self):
        return self.names("ingest")[0].endpoints["client-door"]

    @property
    def ledger(self):
        return "http://" + self.accounting.endpoints["http"]

    def await_ready(self):
        for process in list(self.processes.values()):
            process.endpoints
        # A test that kills one of several must not find that it had never joined.
        def joined(above, key, metric, below):
            return all(self.metrics(p, key).get(metric) == len(self.names(below)) for p in self.names(above))

        await_state("all workers have joined", lambda: joined(
            "tokenizer", "admin", "tokenfactory_tokenizer_workers", "inference-worker"))
        await_state("all tokenizers have joined", lambda: joined(
            "ingest", "http", "tokenfactory_ingest_tokenizers", "tokenizer"))
        await_state("the line is whole", lambda: get(self.http + "/healthz")[0] == 200)

    def metrics(self, process, key="admin"):
        """Prometheus text as {name{labels}: value}."""
        text = get(f"http://{process.endpoints[key]}/metrics")[1].decode()
        rows = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in rows}

    def request_state(self, request_id):
        status, body = get(f"{self.ledger}/v1/requests/{request_id}")
        return json.loads(body) if status == 200 else None

    def await_settled(self, request_id, states=("settled", "void")):
        def probe():
            row = self.request_state(request_id)
            return row if row and row["state"] in states else None

        return await_state(f"request {request_id} is in the ledger", probe)

    def audit(self):
        """Runs `factory audit` once no event is on its way; returns its output, fails when it finds anything."""
        keys = {"ingest": "http", "tokenizer": "admin", "inference-worker": "admin"}
        producers = [p for p in self.processes.values() if p.alive and p.program in keys]
        await_state("all events are in the ledger", lambda: all(
            value == 0 for p in producers for name, value in self.metrics(p, keys[p.program]).items()
            if name.endswith("ledger_events_pending")))
        def audited():
            run = subprocess.run([str(BIN / "factory"), "audit", "--grace", "0", "--database",
                                  str(self.database)], capture_output=True, text=True)
            found = [line for line in run.stdout.splitlines() if line.startswith("violation")]
            # A worker's word on an answer may come after its ingest's, and the counters are told now and then only.
            if found and all("[coverage]" in line for line in found):
                raise ValueError(run.stdout)
            assert run.returncode == 0, run.stdout + run.stderr
            return run.stdout

        return await_state("the audit passes", audited, deadline=20)

    def close(self):
        for process in self.processes.values():
            if process.alive:
                process.terminate()
        for process in self.processes.values():
            if process.child is None:
                continue
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close()
        if kind:
            for process in self.processes.values():
                print(f"--- {process.name}\n{process.log()[-2000:]}")
