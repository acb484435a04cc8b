"""What is done to the stations: each fault is begun and ended, is counted, and says why it was left out."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time

PROGRAMS = ("ingest", "tokenizer", "inference-worker", "accounting")


class Fault:
    """A kind of fault on one target; `begin` and `end` are called with `seconds` between them."""

    seconds = (0.3, 3.0)

    def __init__(self, run, name):
        self.run, self.name = run, name

    def unable(self):
        """Why this cannot be done here, or nothing."""
        return None

    def targets(self):
        return []

    def begin(self, target):
        pass

    def end(self, target):
        pass


class OnProcess(Fault):
    def __init__(self, run, name, program):
        super().__init__(run, name)
        self.program = program

    def targets(self):
        return [process.name for process in self.run.cluster.names(self.program)]


class Kill(OnProcess):
    """SIGKILL, and the same station again a while later at the same addresses."""

    def begin(self, target):
        self.run.down.add(target)
        self.run.cluster.processes[target].kill()

    def end(self, target):
        self.run.cluster.processes[target].start()
        self.run.down.discard(target)


class LoseDisk(Kill):
    """SIGKILL, and the disk is gone too: what stood in the spool is removed before anybody can read it.

    Where stations share a volume, that is what this life has written; where each has its own, all that is left there of
    earlier lives goes with it.
    """

    def begin(self, target):
        run, process = self.run, self.run.cluster.processes[target]
        # Not while it starts: what it makes then would stay.
        process.endpoints
        run.down.add(target)
        # It is stopped first and keeps its locks, so that no sibling takes over what is about to be gone.
        process.child.send_signal(signal.SIGSTOP)
        self.await_stop(process.child.pid)
        at, folder = time.time(), run.cluster.spool_folder(target) / process.program
        lives = {lock.stem.rpartition("-")[2]: lock.stat().st_mtime for lock in folder.glob(f"{target}-*.lock")}
        if not run.cluster.own_spools:
            held = lives.keys() & self.held(process.child.pid, folder)
            lives = {epoch: lives[epoch] for epoch in sorted(held, key=lives.get)[-1:]}
        for epoch in lives:
            for path in folder.glob(f"{target}-{epoch}.*"):
                path.unlink(missing_ok=True)
        process.kill()
        if run.cluster.own_spools:
            shutil.rmtree(run.cluster.spool_folder(target))
        run.note_disk(process, lives, at)

    @staticmethod
    def await_stop(pid):
        def states():
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/stat") as stat:
                    yield stat.read().rpartition(") ")[2][0]

        deadline = time.monotonic() + 5
        while set(states()) != {"T"} and time.monotonic() < deadline:
            time.sleep(0.005)

    @staticmethod
    def held(pid, folder):
        """Epochs whose locks the process has open."""
        links = (os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd"))
        return {os.path.basename(link)[:-5].rpartition("-")[2] for link in links
                if link.startswith(f"{folder}/") and link.endswith(".lock")}


class Stop(OnProcess):
    """SIGSTOP and SIGCONT: below the silence after which a peer is dead, and above it."""

    seconds = (0.2, 8.0)

    def begin(self, target):
        self.run.cluster.processes[target].child.send_signal(signal.SIGSTOP)

    def end(self, target):
        self.run.cluster.processes[target].child.send_signal(signal.SIGCONT)


class Restart(OnProcess):
    """SIGTERM, which must end with status 0 within the bound, and the station again."""

    seconds = (0.0, 1.0)

    def begin(self, target):
        run, process = self.run, self.run.cluster.processes[target]
        run.down.add(target)
        process.terminate()
        try:
            status = process.wait(run.drain + 15)
            if status:
                run.violation(f"{target} ended with {status} after SIGTERM")
        except subprocess.TimeoutExpired:
            run.violation(f"{target} had not ended {run.drain + 15:.0f} s after SIGTERM")
            process.kill()

    end = Kill.end


class DiskFull(Fault):
    """The file system of the spools, or of the ledger, has no byte left."""

    seconds = (1.0, 6.0)

    def __init__(self, run, name, folder):
        super().__init__(run, name)
        self.folder = folder

    def unable(self):
        return None if self.folder in self.run.mounts else "no file system of its own could be mounted (root only)"

    def targets(self):
        return [self.folder]

    def begin(self, target):
        with open(self.run.folder / target / "ballast", "wb", buffering=0) as ballast:
            for size in (1 << 20, 4096):
                try:
                    while True:
                        ballast.write(b"\0" * size)
                except OSError:
                    pass

    def end(self, target):
        (self.run.folder / target / "ballast").unlink(missing_ok=True)


class Descriptors(OnProcess):
    """No descriptor more than are open now, but for two."""

    seconds = (1.0, 6.0)

    def __init__(self, run, name, program):
        super().__init__(run, name, program)
        self.before = {}

    def begin(self, target):
        # Not while it starts: no program begins without descriptors.
        self.run.cluster.processes[target].endpoints
        pid = self.run.cluster.processes[target].child.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        self.before[target] = pid, before
        highest = max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 3, before[1]))

    def end(self, target):
        pid, before = self.before.pop(target)
        process = self.run.cluster.processes[target]
        if process.alive and process.child.pid == pid:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


class IdleConnections(OnProcess):
    """Connections to both doors that say nothing, until no more are taken; on a station with few descriptors."""

    seconds = (2.0, 8.0)
    most = 400  # At each door.

    def unable(self):
        return None if self.run.options.few_descriptors else "no station has few descriptors"

    def targets(self):
        return [name for name in super().targets() if name == self.run.cluster.FEW]

    def begin(self, target):
        self.open = []
        endpoints = self.run.cluster.processes[target].endpoints
        for door in ("http", "client-door"):
            host, _, port = endpoints[door].rpartition(":")
            for _ in range(self.most):
                try:
                    self.open.append(socket.create_connection((host.rpartition("/")[2], int(port)), timeout=0.2))
                except OSError:
                    break

    def end(self, target):
        for connection in self.open:
            connection.close()


class OnLink(Fault):
    """On the proxy between one station and one above it: a link of the programs that are named."""

    def __init__(self, run, name, below, above):
        super().__init__(run, name)
        self.below, self.above = below, above

    def unable(self):
        return None if self.run.links else "links have no proxies (--direct)"

    def targets(self):
        programs = {name: process.program for name, process in self.run.cluster.processes.items()}
        found = (name.split(":") for name in self.run.links.above)
        return [f"{below}:{above}" for below, above in found
                if programs[above] == self.above and self.below in (None, programs[below])]


class Stall(OnLink):
    """One direction passes nothing for a while, and then all that was said meanwhile: below and above the silence."""

    seconds = (0.5, 12.0)

    def __init__(self, run, name, below, above, way):
        super().__init__(run, name, below, above)
        self.way = way

    def begin(self, target):
        self.run.links.stall(target, self.way)

    def end(self, target):
        self.run.links.go(target, self.way)


class Cut(OnLink):
    """The link's connection is reset, with what is on its way."""

    seconds = (0.0, 0.1)

    def begin(self, target):
        self.run.links.cut(target)


class Withdraw(Fault):
    """A role's key is taken from the list of those that are good, and comes back."""

    seconds = (1.0, 8.0)

    def __init__(self, run, name, role):
        super().__init__(run, name)
        self.role = role

    def unable(self):
        return None if self.run.server_key else "links have no keys (--plain)"

    def targets(self):
        return [f"{self.role}.pub"]

    def begin(self, target):
        path = self.run.cluster.site / "public" / target
        self.before = path.read_bytes()
        self.write(path, b"")

    def end(self, target):
        self.write(self.run.cluster.site / "public" / target, self.before)

    @staticmethod
    def write(path, keys):
        """In one step, so that nobody reads half of it."""
        new = path.with_suffix(".new")
        new.write_bytes(keys)
        new.rename(path)


class ClockStep(OnProcess):
    """The wall clock of one station jumps, forward or back, and later back to where it should be."""

    seconds = (2.0, 10.0)
    steps = (-7200, -30, 30, 7200)

    def unable(self):
        return None if self.run.shim else "no C compiler for the library that moves a clock"

    def begin(self, target):
        self.turn = getattr(self, "turn", self.run.seed) + 1
        step = self.steps[self.turn % len(self.steps)]
        self.run.say(f"          by {step} s")
        self.run.set_clock(target, step)

    def end(self, target):
        self.run.set_clock(target, 0)


def catalogue(run):
    """Every fault by name, in the order in which the schedule takes its first round."""
    faults = {}
    for program in PROGRAMS:
        for kind, make in (("kill", Kill), ("stop", Stop), ("restart", Restart)):
            faults[f"{kind}-{program}"] = make(run, f"{kind}-{program}", program)
        faults[f"clock-{program}"] = ClockStep(run, f"clock-{program}", program)
    faults["lose-disk-ingest"] = LoseDisk(run, "lose-disk-ingest", "ingest")
    for program in ("ingest", "accounting"):
        faults[f"descriptors-{program}"] = Descriptors(run, f"descriptors-{program}", program)
    faults["idle-connections"] = IdleConnections(run, "idle-connections", "ingest")
    for link, below, above in (("tokenizer-link", "tokenizer", "ingest"), ("ledger-link", None, "accounting"),
                               ("worker-link", "inference-worker", "tokenizer")):
        for way in ("up", "down"):
            faults[f"stall-{way}-{link}"] = Stall(run, f"stall-{way}-{link}", below, above, way)
        faults[f"cut-{link}"] = Cut(run, f"cut-{link}", below, above)
    for role in ("ingest", "tokenizer", "inference-worker"):
        faults[f"withdraw-{role}-key"] = Withdraw(run, f"withdraw-{role}-key", role)
    faults["disk-full-spools"] = DiskFull(run, "disk-full-spools", "spool")
    faults["disk-full-ledger"] = DiskFull(run, "disk-full-ledger", "books")
    return faults


def schedule(faults, seconds, every, random):
    """A list of [second, fault, target, seconds]: rounds through all faults, never two on one target."""
    entries, free, at = [], {}, 4.0
    names = sorted(faults)
    bag = []
    while names:
        at += random.expovariate(1 / every)
        if at > seconds - 10:
            return entries
        if not bag:
            bag = random.sample(names, len(names))
        for name in bag:
            fault = faults[name]
            targets = [target for target in fault.targets() if free.get(target, 0) <= at]
            if not targets:
                continue
            bag.remove(name)
            target, length = random.choice(targets), random.uniform(*fault.seconds)
            free[target] = at + length + (8 if name.startswith("restart") else 4)
            entries.append([round(at, 2), name, target, round(length, 2)])
            break
    return []


def perform(run, faults, entries, started):
    """Does what the schedule says, each fault in a thread of its own; returns how often each was done."""
    done, threads = {}, []

    def one(name, target, length):
        try:
            faults[name].begin(target)
            try:
                time.sleep(length)
            finally:
                faults[name].end(target)
        except Exception as error:  # a fault that could not be done must not look like one that was
            run.violation(f"{name} {target} could not be done: {type(error).__name__}: {error}")

    for at, name, target, length in entries:
        while time.monotonic() - started < at:
            run.watch()
            time.sleep(0.02)
        run.say(f"{at:6.1f} s  {name} {target} for {length} s")
        done[name] = done.get(name, 0) + 1
        threads.append(threading.Thread(target=one, args=(name, target, length), daemon=True))
        threads[-1].start()
    while any(thread.is_alive() for thread in threads):
        run.watch()
        time.sleep(0.02)
    return done
