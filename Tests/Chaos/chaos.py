#!/usr/bin/env python3
"""Load on both doors by several tenants while every station is killed, stopped and restarted and clients are rude.

    scripts/chaos.sh --seconds 60 --seed 7
    scripts/chaos.sh --seconds 600 --without 'disk-full-*' --keep

Real programs (TOKENFACTORY_BIN, default .build/release), simulated engine. The schedule of faults is a function of the
seed and is printed, with the command that does it again; --schedule takes one from a file. At the end the checker
(checker.py) reads the clients' logs and the ledger, `factory audit` proves the ledger by itself, and faults are planted
into copies of the database to show that the checker would have found them. Exit status 0 when nothing was found.
"""

import argparse
import asyncio
import fnmatch
import hashlib
import json
import os
import pathlib
import random
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Integration")]

import checker  # noqa: E402
import clients  # noqa: E402
import faults  # noqa: E402
import links  # noqa: E402
import planted  # noqa: E402
from cluster import BIN, Cluster, Process, await_state, get  # noqa: E402

PRICES = (100, 25, 400)
TENANTS = [clients.Tenant(name, "tf-chaos-" + name, weight) for name, weight in (
    ("acme", 1), ("bolt", 1), ("crow", 2), ("dune", 4))]


class ChaosCluster(Cluster):
    """A cluster whose stations come back at the addresses that they had, each link through a proxy of its own."""

    own_spools, shim, links, site, few = False, None, None, None, 0
    FEW = "ingest-1"  # The station with few descriptors.

    def add(self, program, name, arguments):
        process = Process(self, program, name, [
            "--spool-directory", str(self.spool_folder(name)), *arguments])
        if self.links:
            for flag in ("--ingest", "--tokenizer", "--accounting"):
                if flag in process.arguments:
                    at = process.arguments.index(flag) + 1
                    process.arguments[at] = ",".join(
                        self.links.add(name, self.at(address), address)
                        for address in process.arguments[at].split(","))
        if self.site:
            process.arguments += ["--link-key", str(self.site / program / "link.key"),
                                  "--link-keys", str(self.site / "public")]
        if self.shim:
            clock = self.folder / f"{name}.clock"
            clock.write_bytes(bytes(8))
            process.arguments[:0] = ["env", f"LD_PRELOAD={self.shim}", f"TOKENFACTORY_CHAOS_CLOCK={clock}"]
        if self.few and name == self.FEW:
            process.arguments[:0] = ["prlimit", f"--nofile={self.few}:{self.few}"]
        self.processes[name] = process
        return process.start()

    def spool_folder(self, name):
        return self.folder / "spool" / (name if self.own_spools else "")

    def at(self, address):
        """The name of the station that listens there."""
        return next(name for name, process in self.processes.items() if address in process.endpoints.values())

    def pin(self):
        """Puts the actual addresses in place of port 0, and remembers them: clients ask where nobody is, too."""
        for process in self.processes.values():
            process.doors = process.endpoints
            for key, address in process.endpoints.items():
                if f"--{key}" in process.arguments:
                    process.arguments[process.arguments.index(f"--{key}") + 1] = address


class Run:
    def __init__(self, options):
        self.options, self.seed, self.rude, self.drain = options, options.seed, not options.polite, options.drain
        self.pace = options.pace
        self.folder = pathlib.Path(options.folder or tempfile.mkdtemp(prefix="tokenfactory-chaos."))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.mounts, self.down, self.violations = set(), set(), []
        self.shim = self.build_shim()
        self.over = threading.Event()
        self.shapes = clients.Shapes(self.seed)
        self.log = clients.Log(self.folder / "clients.jsonl")
        self.features = {"continuous": False, "http keys": False, "zeromq keys": False}
        self.keys, self.server_key, self.links = {}, "", None
        self.disks = []

    def say(self, text):
        print(text, flush=True)

    def violation(self, text):
        self.violations.append(text)
        self.say(f"          VIOLATION: {text}")

    def note_disk(self, process, lives, at):
        """For the checker: whose disk is gone, where clients reached it, and the lives whose spools were on it."""
        self.disks.append({
            "station": process.name, "at": at, "doors": [process.doors[door] for door in ("http", "client-door")],
            "lives": [{"epoch": epoch, "since": since} for epoch, since in lives.items()]})
        (self.folder / "disks.json").write_text(json.dumps(self.disks, indent=1))
        self.say(f"          with {len(lives)} spools of its own")

    def key(self, pick, tenant, attempt):
        """An idempotency key: a new one, or one that some client of the tenant has used."""
        keys = self.keys.setdefault(tenant.name, [])
        if keys and pick.random() < 0.4:
            return pick.choice(keys)
        keys.append(f"key-{attempt['number']}")
        return keys[-1]

    def http_doors(self):
        return [process.doors["http"] for process in self.up("ingest")]

    def client_doors(self):
        return [process.doors["client-door"] for process in self.up("ingest")]

    def up(self, program):
        named = self.cluster.names(program)
        return [process for process in named if process.name not in self.down] or named

    def watch(self):
        """A station that ended without being told to is a fault of its own."""
        for name, process in self.cluster.processes.items():
            if name not in self.down and not process.alive:
                self.violation(f"{name} ended by itself with {process.child.returncode}: {process.log()[-600:]}")
                process.start()

    # --- the site ---

    def build_shim(self):
        """The library that moves a station's wall clock; None where there is no compiler."""
        compiler = shutil.which(os.environ.get("CC", "cc"))
        if not compiler:
            return None
        shim = self.folder / "clock.so"
        subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", str(shim),
                        str(pathlib.Path(__file__).with_name("clock.c")), "-ldl"], check=True)
        return shim

    def set_clock(self, name, seconds):
        with open(self.folder / f"{name}.clock", "r+b") as clock:
            clock.write(struct.pack("<q", seconds * 1_000_000_000))

    def mount(self):
        """File systems of their own for the spools and the books, so that a full disk fills nothing else."""
        for name, size in (("spool", self.options.spool_size), ("books", self.options.books_size)):
            (self.folder / name).mkdir(exist_ok=True)
            command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(self.folder / name)]
            if os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0:
                self.mounts.add(name)
        (self.folder / "ledger.sqlite").symlink_to(self.folder / "books" / "ledger.sqlite")

    def unmount(self):
        for name in self.mounts:
            subprocess.run(["umount", "-l", str(self.folder / name)], capture_output=True)

    def make_keys(self):
        """A key pair for each role, as an operator makes them."""
        site = self.folder / "site"
        subprocess.run([str(BIN / "factory"), "keygen", "--site", str(site)], check=True, capture_output=True)
        self.server_key = (site / "public" / "ingest.pub").read_text().split()[0]
        return site

    def start(self):
        keys = "".join(f"{hashlib.sha256(t.key.encode()).hexdigest()} {t.name} weight={t.weight}\n" for t in TENANTS)
        (self.folder / "keys").write_text(keys)
        price = dict(zip(("input", "cached_input", "output"), PRICES))
        (self.folder / "prices.json").write_text(
            json.dumps({"currency": "USD", "as_of": "2026-01-01", "models": {"*": price}}))
        drain = ["--drain-seconds", str(self.drain)]
        o = self.options
        ChaosCluster.shim, ChaosCluster.few = self.shim, o.few_descriptors
        ChaosCluster.site = None if o.plain else self.make_keys()
        if not o.direct:
            self.links = ChaosCluster.links = links.Links()
        self.cluster = ChaosCluster(
            self.folder, ingests=o.ingests, tokenizers=o.tokenizers, workers=o.workers, time_scale=o.time_scale,
            ingest_options=["--keys", str(self.folder / "keys"), *drain, *o.ingest_option],
            tokenizer_options=[*drain, *o.tokenizer_option],
            worker_options=["--context", "262144", "--context-length", "131072", *drain, *o.worker_option],
            accounting_options=["--prices", str(self.folder / "prices.json"), "--reservation-ttl", o.reservation_ttl,
                                *drain, *o.accounting_option])
        self.cluster.pin()
        self.model = "smollm2-135m-instruct"

    def find_features(self):
        """What this build's doors know, asked by trying."""
        tenant = clients.Tenant("acme", TENANTS[0].key, 1)
        client = clients.HTTPClient(self, tenant, -1)

        async def ask(headers, **more):
            attempt = self.log.attempt("acme", "http", f"h{self.log.connection()}", max_tokens=2, prompt=3, why="probe")
            body = {"model": self.model, "max_tokens": 2, "prompt": [5, 6, 7], "ignore_eos": True, "seed": 1, **more}
            host, port = self.http_doors()[0].split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            headers = {"X-Request-ID": attempt["label"], **headers}
            await client.send(writer, "/v1/completions", json.dumps(body).encode(), headers, "plain")
            await client.read(reader, attempt, more.get("stream", False), "plain")
            writer.close()
            return attempt

        async def probe():
            usage = await ask({}, stream=True, stream_options={"include_usage": True, "continuous_usage_stats": True})
            self.features["continuous"] = usage["outcome"] == "whole"
            keyed = [await ask({"Idempotency-Key": "probe"}) for _ in range(2)]
            self.features["http keys"] = [attempt["outcome"] for attempt in keyed] == ["whole", "refused"]
            for attempt in (usage, *keyed):
                self.log.write(attempt)

        asyncio.run(probe())
        door = clients.ZeroMQClient(self, tenant, -1)
        session, outcomes = clients.Session(self.client_doors()[0], 5, tenant.key, self.server_key), []
        connection = f"z{self.log.connection()}"
        for handle in (1, 2):
            attempt = self.log.attempt("acme", "zeromq", connection, max_tokens=3, prompt=3, why="probe")
            session.submit_tokens(handle, [5, 6, 7], 3, 1, attempt["label"], "probe-z")
            open_ = {handle: attempt}
            door.read(session, open_, "read")
            outcomes.append(attempt["outcome"])
        session.close()
        self.features["zeromq keys"] = outcomes == ["whole", "refused"]
        self.say("doors know: " + (", ".join(name for name, known in self.features.items() if known) or "no keys"))

    # --- the load ---

    def load(self):
        """Threads for the clients of the ZeroMQ door, one loop for those of HTTP."""
        threads = []
        for tenant in TENANTS:
            for number in range(self.options.zmq_clients):
                client = clients.ZeroMQClient(self, tenant, number)
                threads.append(threading.Thread(target=client.work, daemon=True))

        async def http():
            await asyncio.gather(*(clients.HTTPClient(self, tenant, number).work()
                                   for tenant in TENANTS for number in range(self.options.http_clients)))

        threads.append(threading.Thread(target=lambda: asyncio.run(http()), daemon=True))
        for thread in threads:
            thread.start()
        return threads

    # --- the end ---

    def settle(self):
        """Waits until no request is open; what stays open is the checker's to tell."""
        deadline = time.monotonic() + self.options.settle

        def quiet():
            ledger = checker.Ledger(self.cluster.database)
            open_ = sum(request.state == 0 for request in ledger.requests.values())
            pending = sum(
                value for process in self.cluster.processes.values() if process.program != "accounting"
                for name, value in self.cluster.metrics(
                    process, "http" if process.program == "ingest" else "admin").items()
                if name.endswith("ledger_events_pending"))
            return open_ == 0 and pending == 0

        while time.monotonic() < deadline:
            self.watch()
            try:
                if quiet():
                    return
            except OSError:
                pass
            time.sleep(0.5)
        self.say("          not quiet at the end of the wait")

    def stop(self):
        """Ends all stations from above, each with status 0."""
        for program in reversed(faults.PROGRAMS[:3]):
            for process in self.cluster.names(program):
                process.terminate()
            for process in self.cluster.names(program):
                self.gone(process)
        self.cluster.accounting.terminate()
        self.gone(self.cluster.accounting)

    def gone(self, process):
        try:
            status = process.wait(self.drain + 15)
        except subprocess.TimeoutExpired:
            process.kill()
            return self.violation(f"{process.name} had not ended {self.drain + 15:.0f} s after SIGTERM")
        if status:
            self.violation(f"{process.name} ended with {status} after SIGTERM")

    def audit(self):
        run = subprocess.run([str(BIN / "factory"), "audit", "--grace", "0", "--database",
                              str(self.cluster.database)],
                             capture_output=True, text=True)
        if run.returncode:
            self.violation("factory audit: " + (run.stdout + run.stderr)[-1500:])
        return run.returncode == 0


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="how long the load lasts (%(default)s)")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"), help="default: a new one")
    parser.add_argument("--every", type=float, default=1.5, help="mean seconds between faults (%(default)s)")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="these faults, with * and ?")
    parser.add_argument("--without", action="append", default=[], metavar="NAME", help="not these faults")
    parser.add_argument("--schedule", metavar="FILE", help="JSON list of [second, fault, target, seconds]")
    parser.add_argument("--list", action="store_true", help="print the names of the faults")
    parser.add_argument("--known", action="append", default=[], metavar="KIND", choices=[*checker.KINDS, "stations"],
                        help="findings of this kind are told and do not fail the run")
    parser.add_argument("--polite", action="store_true", help="no rude clients")
    parser.add_argument("--plain", action="store_true", help="no keys on the links and the client door")
    parser.add_argument("--direct", action="store_true", help="no proxies in the links, and so no faults of links")
    parser.add_argument("--few-descriptors", type=int, default=256, metavar="N",
                        help=f"the limit of {ChaosCluster.FEW}'s descriptors; 0 for everybody's (%(default)s)")
    parser.add_argument("--own-spools", action="store_true", help="a spool directory for each station, none shared")
    for name, default in (("ingests", 2), ("tokenizers", 2), ("workers", 3), ("http-clients", 3), ("zmq-clients", 2)):
        parser.add_argument(f"--{name}", type=int, default=default, help="default %(default)s")
    parser.add_argument("--pace", type=float, default=4, help="requests a second and client, at most (%(default)s)")
    parser.add_argument("--time-scale", type=float, default=1.0, help="of the simulated engine (%(default)s)")
    parser.add_argument("--drain", type=float, default=3.0, help="seconds that a station has to drain (%(default)s)")
    parser.add_argument("--reservation-ttl", default="25s", help="of accounting (%(default)s)")
    parser.add_argument("--settle", type=float, default=60, help="seconds to wait for open requests (%(default)s)")
    parser.add_argument("--spool-size", default="192m", help="of the spools' file system (%(default)s)")
    parser.add_argument("--books-size", default="256m", help="of the ledger's file system (%(default)s)")
    for program in ("ingest", "tokenizer", "worker", "accounting"):
        parser.add_argument(f"--{program}-option", action="append", default=[], metavar="WORD",
                            help=f"a word for the {program}s' command line, for instance --{program}-option=--name")
    parser.add_argument("--folder", help="where the run's files go; default: a new one")
    parser.add_argument("--keep", action="store_true", help="keep them also when nothing was found")
    return parser.parse_args(arguments)


def main(arguments):
    options = parse(arguments)
    ChaosCluster.own_spools = options.own_spools
    run = Run(options)
    every = faults.catalogue(run)
    if options.list:
        print("\n".join(every))
        return 0
    run.mount()
    code = 1
    try:
        code = perform(run, every)
    finally:
        run.over.set()
        if hasattr(run, "cluster"):
            for process in run.cluster.processes.values():
                if process.alive:
                    process.kill()
        if run.mounts and (code or options.keep):
            # What was mounted is kept as files.
            for name in run.mounts:
                shutil.copytree(run.folder / name, run.folder / f"{name}.kept", dirs_exist_ok=True)
        run.unmount()
        if run.links:
            run.links.close()
        if code or options.keep:
            run.say(f"kept in {run.folder}")
        else:
            shutil.rmtree(run.folder, ignore_errors=True)
    return code


def perform(run, every):
    options = run.options
    run.say(f"seed {run.seed}; again: TOKENFACTORY_BIN={shlex.quote(str(BIN))} scripts/chaos.sh "
            f"{shlex.join(strip_seed(sys.argv[1:]))} --seed {run.seed}")
    run.start()
    run.find_features()
    chosen = {}
    for name, fault in every.items():
        if options.only and not any(fnmatch.fnmatch(name, pattern) for pattern in options.only):
            continue
        if any(fnmatch.fnmatch(name, pattern) for pattern in options.without):
            continue
        if why := fault.unable():
            run.say(f"left out: {name}: {why}")
            continue
        chosen[name] = fault
    if options.schedule:
        entries = json.loads(pathlib.Path(options.schedule).read_text())
    else:
        entries = faults.schedule(chosen, options.seconds, options.every, random.Random(run.seed))
    (run.folder / "schedule.json").write_text("[\n" + ",\n".join(map(json.dumps, entries)) + "\n]\n")
    run.say(f"{len(entries)} faults in {options.seconds:.0f} s; the schedule: {run.folder / 'schedule.json'}")
    started = time.monotonic()
    threads = run.load()
    done = faults.perform(run, every, entries, started)
    while time.monotonic() - started < options.seconds:
        run.watch()
        time.sleep(0.1)
    run.over.set()
    deadline = time.monotonic() + 60
    for thread in threads:
        thread.join(max(0.1, deadline - time.monotonic()))
    if any(thread.is_alive() for thread in threads):
        run.violation("a client still waits 60 s after the load's end")
    await_state("the line is whole again", lambda: get(run.cluster.http + "/healthz")[0] == 200)
    run.settle()
    run.stop()
    audited = run.audit()
    return conclude(run, done, audited)


def conclude(run, done, audited):
    attempts = checker.read_attempts(run.log.file.name)
    found = checker.Checker(attempts, checker.Ledger(run.cluster.database), PRICES, disks=run.disks)
    run.say("\nfaults injected: " + ", ".join(f"{count} {name}" for name, count in sorted(done.items())))
    run.say("clients: " + ", ".join(f"{count} {name}" for name, count in sorted(run.log.counts.items())))
    run.say(found.report())
    run.say(f"{len(run.violations):>10} by stations themselves")
    for text in run.violations:
        run.say(f"             {text}")
    run.say("factory audit passed" if audited else "AUDIT FAILED")
    tried, missed = planted.plant(attempts, run.cluster.database, PRICES, run.folder, run.disks)
    run.say(f"planted faults: {tried - len(missed)} of {tried} found" + "".join(f"\n    MISSED: {m}" for m in missed))
    failing = [kind for kind in checker.KINDS if found.violations[kind] and kind not in run.options.known]
    if run.violations and "stations" not in run.options.known:
        failing.append("stations")
    if missed or not any(attempt["outcome"] == "whole" for attempt in attempts):
        failing.append("the checker or the load itself")
    run.say("CHAOS FOUND: " + ", ".join(failing) if failing else "nothing lost, nothing doubled, nothing unbilled")
    return 1 if failing else 0


def strip_seed(words):
    """The command line without its seed."""
    kept, skip = [], False
    for word in words:
        if skip or word.startswith("--seed="):
            skip = False
        elif word == "--seed":
            skip = True
        else:
            kept.append(word)
    return kept


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
