#!/usr/bin/env python3
"""Holds what clients saw against what the ledger says: nothing lost, doubled, unbilled or billed and not delivered.

    python3 Tests/Chaos/checker.py RUN/clients.jsonl RUN/ledger.sqlite [--disks RUN/disks.json]

It reads the clients' logs and the database, nothing else, and shares no code with the services: it decodes the log's
rows itself and computes from them what every request must have come to. What it cannot prove equal it lists as an
exception, each with its bound: one window of 256 KB for each connection that ended early, whose last bytes the client
may or may not have had; and, where an ingest's disk is gone (--disks says whose and when), the requests of which that
ingest had told the ledger no end. Everything else that differs is a violation, and the exit status is 1.
"""

import argparse
import collections
import json
import sqlite3
import struct
import sys

WINDOW = 256 << 10
RESERVE, SETTLE, VOID, ATTEMPT, LOST_ATTEMPT, EXPIRED, PRICES, GAP, CONFLICT = 1, 2, 3, 4, 5, 16, 17, 18, 19
REFUSED, REOPENED = 20, 21
STATES = ["reserved", "settled", "void", "expired"]
RECEIVABLE, REVENUE = 1, 2
KINDS = ("lost", "doubled", "unbilled", "not delivered", "unexplained", "books")


class Event:
    """A station's statement, as it stands in the log: docs/ledger.md, little endian."""

    FIXED = struct.Struct("<BB16sHHBQBHIIIIIIQBQ")

    def __init__(self, sequence, body):
        (self.version, self.kind, identity, self.ingest_attempt, self.tokenizer_attempt, self.role, self.producer,
         self.outcome, self.status, self.prompt, self.cached, self.produced, self.delivered, self.after_cancel,
         self.maximum, _, _, _) = self.FIXED.unpack_from(body)
        high, low = struct.unpack("<QQ", identity)
        self.sequence, self.id = sequence, f"{high:016x}{low:016x}"
        texts, offset = [], self.FIXED.size
        while offset + 4 <= len(body):
            (size,) = struct.unpack_from("<I", body, offset)
            texts.append(body[offset + 4:offset + 4 + size].decode(errors="replace"))
            offset += 4 + size
        texts += [""] * (4 - len(texts))
        self.tenant, self.model, self.worker, self.label = texts[:4]


class Request:
    """What the log says of one request, by the rules of docs/ledger.md, worked out here once more."""

    def __init__(self, tenant, identity):
        self.tenant, self.id, self.label = tenant, identity, ""
        self.state, self.ended_by, self.end = 0, None, None
        self.prompt, self.maximum = 0, 0
        self.late = []  # Ends that did not count.
        self.produced_by = set()
        self.charged = 0
        self.attempt = None
        self.owner = None  # Epoch of the ingest that opened it.

    @property
    def billed(self):
        return self.end.delivered if self.state == 1 else 0

    def take(self, event):
        self.label = self.label or event.label
        if event.kind in (RESERVE, SETTLE, VOID):
            self.owner = self.owner or f"{event.producer:016x}"
        if event.kind == RESERVE:
            self.prompt, self.maximum = max(self.prompt, event.prompt), max(self.maximum, event.maximum)
        elif event.kind in (SETTLE, VOID):
            self.prompt, self.maximum = max(self.prompt, event.prompt), max(self.maximum, event.maximum)
            if self.state:
                self.late.append(event)
            else:
                self.state, self.ended_by, self.end = (1 if event.kind == SETTLE else 2), event.sequence, event

    def __str__(self):
        return f"{self.tenant}/{self.id} ({STATES[self.state]}, {self.billed} tokens billed)"


class Ledger:
    def __init__(self, path):
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
        database.row_factory = sqlite3.Row
        try:
            self._read(database)
        finally:
            database.close()

    def _read(self, database):
        self.requests, self.gaps, self.conflicts, self.refused = {}, [], [], []
        by_key = {}
        events = {}
        for row in database.execute("select sequence, kind, name, body from event order by sequence"):
            kind = row["kind"]
            if kind in (RESERVE, SETTLE, VOID, ATTEMPT, LOST_ATTEMPT):
                event = Event(row["sequence"], row["body"])
                key = (event.tenant, event.id)
                request = self.requests.get(key)
                if request is None:
                    request = self.requests[key] = Request(*key)
                request.take(event)
                events[row["sequence"]] = request
                by_key[bytes(row["name"])[:16 + 4 + len(event.tenant.encode())]] = request
            elif kind == EXPIRED:
                request = by_key.get(bytes(row["name"])[:-1])
                if request and request.state == 0:
                    request.state, request.ended_by = 3, row["sequence"]
                events[row["sequence"]] = request
            elif kind == REOPENED:
                # Its ingest came back with its end, which follows.
                request = by_key.get(bytes(row["name"])[:-1])
                if request and request.state == 3:
                    request.state, request.ended_by = 0, None
            elif kind == REFUSED:
                self.refused.append((row["sequence"], row["body"][0]))
            elif kind == GAP:
                self.gaps.append(row["sequence"])
            elif kind == CONFLICT:
                self.conflicts.append(row["sequence"])
        # What was charged, and by which rows: money moved by an event that did not end its request is a fault.
        self.stray = []
        self.receivable = collections.Counter()
        for row in database.execute(
                "select event, tenant, debit, credit, amount from posting where debit in (1, 2) or credit in (1, 2)"):
            sign = 1 if (row["debit"], row["credit"]) == (RECEIVABLE, REVENUE) else -1
            self.receivable[row["tenant"]] += sign * row["amount"]
            request = events.get(row["event"])
            if request is None or request.ended_by != row["event"]:
                self.stray.append((row["event"], row["tenant"], sign * row["amount"]))
            if request is not None:
                request.charged += sign * row["amount"]
        self.rows = {}
        columns = {row[1] for row in database.execute("pragma table_info(request)")}
        for row in database.execute("select * from request"):
            identity = f"{row['id_high'] & (1 << 64) - 1:016x}{row['id_low'] & (1 << 64) - 1:016x}"
            key = (row["tenant"], identity)
            self.rows[key] = row
            if "label" in columns and key in self.requests:
                self.requests[key].label = row["label"] or self.requests[key].label
        def wide(row, column):
            """The column's lower 63 bits, and what stands above them in ledgers of schema version 2."""
            return row[column] + (row[column + "_high"] << 63 if column + "_high" in row.keys() else 0)

        self.balances = {row["tenant"]: wide(row, "debits") - wide(row, "credits") for row in database.execute(
            "select * from balance where account = ?", (RECEIVABLE,))}


class Checker:
    """The findings, by kind, and the exceptions."""

    def __init__(self, attempts, ledger, prices=(100, 25, 400), ended=True, disks=()):
        self.attempts, self.ledger, self.prices, self.ended, self.disks = attempts, ledger, prices, ended, disks
        self.violations = {kind: [] for kind in KINDS}
        self.exceptions = []
        self.gone, self.excused = [], set()  # In words, and the attempts' numbers.
        self.matched = {}
        self.figures = collections.Counter()
        self._match()
        self.told = self._told()
        self._books()
        self._connections()
        self._keys()
        self._strangers()

    def find(self, kind, text):
        self.violations[kind].append(text)

    @property
    def passed(self):
        return not any(self.violations.values())

    # --- who is who ---

    def _match(self):
        """Each attempt of a client to its request: by the id of its answer, its label, or the two numbers it chose."""
        by_label, by_shape, taken = {}, collections.defaultdict(list), set()
        for request in self.ledger.requests.values():
            if request.label:
                by_label[(request.tenant, request.label)] = request
            by_shape[(request.tenant, request.prompt, request.maximum)].append(request)
        # What is known first: a guess must not take the request of an attempt that names it.
        named, guessed = [], []
        for attempt in self.attempts:
            tenant = attempt["tenant"]
            request = self.ledger.requests.get((tenant, attempt.get("id") or ""))
            if request is None and not attempt.get("id"):
                request = (by_label.get((tenant, attempt["label"]))
                           or self.ledger.requests.get((tenant, attempt["label"])))
            (guessed if request is None else named).append((attempt, request))
        for attempt, request in named + guessed:
            tenant = attempt["tenant"]
            if request is None and not attempt.get("id") and attempt.get("prompt"):
                same = by_shape.get((tenant, attempt["prompt"], attempt["max_tokens"]), [])
                # A request that failed before its prompt was counted has none.
                same = same or by_shape.get((tenant, 0, attempt["max_tokens"]), [])
                same = [r for r in same if id(r) not in taken]
                request = same[0] if len(same) == 1 else None
            if request is None:
                continue
            if id(request) in taken:
                self.find("doubled", f"two attempts of clients were answered as {request}")
            taken.add(id(request))
            request.attempt = attempt
            self.matched[attempt["number"]] = request

    # --- the books, by themselves ---

    def _books(self):
        for sequence, tenant, amount in self.ledger.stray:
            self.find("doubled", f"row {sequence} charged {tenant} {amount} nano-dollars beside its request's end")
        charged = collections.Counter()
        for key, request in self.ledger.requests.items():
            due = self.due(request)
            charged[request.tenant] += due
            if request.charged > due:
                self.find("doubled", f"{request} was charged {request.charged} nano-dollars, its end says {due}")
            elif request.charged < due:
                self.find("unbilled", f"{request} was charged {request.charged} nano-dollars, its end says {due}")
            row = self.ledger.rows.get(key)
            if row is None:
                self.find("books", f"{request} stands in the log and not among the requests")
            elif (row["state"], row["billed"], row["amount"]) != (request.state, request.billed, due):
                self.find("books", f"{request}: its row says {STATES[row['state']]}, {row['billed']} tokens, "
                                   f"{row['amount']} nano-dollars")
            for late in request.late:
                if late.kind == SETTLE and late.delivered:
                    self.find("unbilled", f"{request}: row {late.sequence} states {late.delivered} more tokens "
                                          "delivered, after its end")
            if request.state == 0 and self.ended:
                self.find("lost", f"{request} never ended")
        for key in self.ledger.rows.keys() - self.ledger.requests.keys():
            self.find("books", f"{key[0]}/{key[1]} is among the requests and not in the log")
        for tenant in charged.keys() | self.ledger.balances.keys():
            if charged[tenant] != self.ledger.balances.get(tenant, 0):
                self.find("books", f"{tenant} owes {self.ledger.balances.get(tenant, 0)} nano-dollars, its "
                                   f"requests come to {charged[tenant]}")
        for sequence in self.ledger.gaps:
            self.find("lost", f"row {sequence}: events of a station that never came")
        for sequence, reason in self.ledger.refused:
            self.find("books", f"row {sequence}: an event that its station may not state (reason {reason})")
        for sequence in self.ledger.conflicts:
            self.find("books", f"row {sequence}: an event of a known name with another body")

    def due(self, request):
        """What a settled request comes to, in nano-dollars."""
        if request.state != 1:
            return 0
        end = request.end
        cached = min(end.cached, end.prompt)
        return ((end.prompt - cached) * self.prices[0] + cached * self.prices[1] + end.delivered * self.prices[2])

    # --- what clients had, against what they pay ---

    def _connections(self):
        early, said = collections.defaultdict(list), collections.defaultdict(list)
        for attempt in self.attempts:
            said[attempt["connection"]].append(attempt)
            self.figures[f"attempts {attempt['outcome']}"] += 1
            self.figures["tokens received"] += attempt["tokens"]
            request = self.matched.get(attempt["number"])
            billed = request.billed if request else 0
            self.figures["tokens billed"] += billed
            name = f"attempt {attempt['number']} of {attempt['tenant']} ({attempt['door']}, {attempt['outcome']})"
            what = str(request) if request else "no request in the ledger"
            if attempt["outcome"] in ("whole", "failed") and attempt.get("exact", True):
                # The client had the end and the number: both sides know it.
                if attempt["outcome"] == "whole" and (request is None or request.state != 1):
                    if not self._went_with_a_disk(attempt, request, name, what):
                        self.find("lost", f"{name} had {attempt['tokens']} tokens: {what}")
                elif billed < attempt["tokens"]:
                    if not self._went_with_a_disk(attempt, request, name, what):
                        self.find("unbilled", f"{name} had {attempt['tokens']} tokens: {what}")
                elif billed > attempt["tokens"]:
                    self.find("not delivered", f"{name} had {attempt['tokens']} tokens: {what}")
            elif attempt["outcome"] == "refused":
                if request and request.state == 1:
                    self.find("not delivered", f"{name} was told {attempt.get('status')}: {what}")
            else:
                if billed < attempt["tokens"]:
                    if not self._went_with_a_disk(attempt, request, name, what):
                        self.find("unbilled", f"{name} had at least {attempt['tokens']} tokens: {what}")
                elif billed > attempt["tokens"]:
                    early[attempt["connection"]].append((attempt, request))
        smallest = self._smallest()
        for connection, ends in sorted(early.items()):
            excess = sum(request.billed - attempt["tokens"] for attempt, request in ends)
            # A session's bytes are those of all that was said in it, up to the end of that attempt.
            seen = sum(attempt["tokens"] for attempt in said[connection])
            size = max(attempt["bytes"] for attempt in said[connection])
            door = ends[0][0]["door"]
            # Who reads slowly gets longer rows: a token takes its id or its text at least.
            each = 4 if any(attempt.get("slow") for attempt, _ in ends) else max(
                4, (size / seen if seen >= 8 else smallest.get(door, 4)) / 2)
            bound = int(WINDOW / each)
            text = (f"connection {connection} of {ends[0][0]['tenant']} ({door}, {ends[0][0]['why']}): {excess} tokens "
                    f"billed that it may not have read, of at most {bound}")
            self.figures["tokens in doubt"] += excess
            if excess > bound:
                self.find("not delivered", text)
            else:
                self.exceptions.append(text)

    def _told(self):
        """By the ingest's epoch: when the last request began that it has told the ledger of."""
        told = {}
        for attempt in self.attempts:
            request = self.matched.get(attempt["number"])
            if request is not None and request.owner is not None:
                told[request.owner] = max(told.get(request.owner, 0), attempt["began"])
        return told

    def _went_with_a_disk(self, attempt, request, name, what):
        """Whether the end of this request can have been lost with its ingest's disk, and with nothing else.

        An end that the ledger has counts as it stands there. And a spool is told in order: an answer that its client
        had whole before another request began, of which the same life has told, was told of as well.
        """
        if request is not None and request.state != STATES.index("expired"):
            return False
        for disk in self.disks:
            for life in disk["lives"]:
                if request is not None and request.owner is not None:
                    if request.owner != life["epoch"]:
                        continue
                elif (attempt.get("at") not in disk["doors"] or attempt["began"] > disk["at"]
                        or attempt["ended"] < life["since"]):
                    continue
                if attempt["outcome"] != "cut" and attempt["ended"] < self.told.get(life["epoch"], 0):
                    continue
                if attempt["tokens"] > attempt["max_tokens"]:
                    continue
                self.gone.append(f"{disk['station']}'s disk was gone: {name} had {attempt['tokens']} tokens, of at "
                                 f"most {attempt['max_tokens']}: {what}")
                self.excused.add(attempt["number"])
                self.figures["tokens unbilled with a disk"] += attempt["tokens"]
                return True
        return False

    def _smallest(self):
        """Bytes of a token at each door, the least of all whole streams."""
        least = {}
        for attempt in self.attempts:
            if attempt["outcome"] == "whole" and attempt["tokens"] >= 8 and attempt["bytes"]:
                each = attempt["bytes"] / attempt["tokens"]
                least[attempt["door"]] = min(least.get(attempt["door"], each), each)
        return least

    def _keys(self):
        """An idempotency key buys one answer."""
        keys = collections.defaultdict(list)
        for attempt in self.attempts:
            if attempt.get("key"):
                keys[(attempt["tenant"], attempt["key"])].append(attempt)
        for (tenant, key), attempts in keys.items():
            settled = {self.matched[a["number"]].id for a in attempts
                       if a["number"] in self.matched and self.matched[a["number"]].state == 1}
            # A key is free again when its request has expired with its ingest's disk.
            whole = sum(attempt["outcome"] == "whole" and attempt["number"] not in self.excused for attempt in attempts)
            if len(settled) > 1 or whole > 1:
                self.find("doubled", f"key {key} of {tenant}: {len(settled)} settled requests, {whole} whole answers")
            if len(attempts) > 1:
                self.figures["keys used again"] += 1

    def _strangers(self):
        """Requests that no client's log explains; those of clients that never heard an id are told by their numbers."""
        silent = collections.Counter(
            attempt["tenant"] for attempt in self.attempts
            if attempt["number"] not in self.matched and attempt["outcome"] in ("cut", "refused"))
        for request in self.ledger.requests.values():
            if request.attempt is not None or request.state != 1 or not self.due(request):
                continue
            if silent[request.tenant]:
                silent[request.tenant] -= 1
                self.figures["tokens in doubt"] += request.billed
                text = f"{request}: one of those whose client never heard its id"
                if request.billed > WINDOW // 4:
                    self.find("not delivered", text)
                else:
                    self.exceptions.append(text + f", of at most {WINDOW // 4}")
            else:
                self.find("unexplained", f"{request}: no client asked for it")

    def report(self, most=12):
        lines = [f"{self.figures[name]:>10} {name}" for name in sorted(self.figures)]
        lines.append(f"{len(self.ledger.requests):>10} requests in the ledger, "
                     + ", ".join(f"{sum(r.state == state for r in self.ledger.requests.values())} {name}"
                                 for state, name in enumerate(STATES)))
        lines.append(f"{len(self.exceptions):>10} exceptions, each with its bound")
        lines += ["             " + text for text in self.exceptions[:most]]
        if len(self.exceptions) > most:
            lines.append(f"             and {len(self.exceptions) - most} more")
        if self.disks:
            lines.append(f"{len(self.gone):>10} requests unbilled since their ingest's disk was gone "
                         f"({len(self.disks)} times), each with its bound")
            lines += ["             " + text for text in self.gone[:most]]
            if len(self.gone) > most:
                lines.append(f"             and {len(self.gone) - most} more")
        for kind in KINDS:
            found = self.violations[kind]
            lines.append(f"{len(found):>10} {kind}")
            lines += ["             " + text for text in found[:most]]
            if len(found) > most:
                lines.append(f"             and {len(found) - most} more")
        return "\n".join(lines)


def read_attempts(path):
    with open(path) as log:
        return [json.loads(line) for line in log if line.strip()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clients", help="the clients' log, JSON lines")
    parser.add_argument("database", help="the ledger")
    parser.add_argument("--prices", type=int, nargs=3, default=(100, 25, 400), metavar=("INPUT", "CACHED", "OUTPUT"),
                        help="nano-dollars a token, as the run's price list has them (%(default)s)")
    parser.add_argument("--disks", help="the run's disks.json: ingests whose disk was taken away")
    parser.add_argument("--all", action="store_true", help="list every exception and violation")
    options = parser.parse_args()
    disks = []
    if options.disks:
        with open(options.disks) as file:
            disks = json.load(file)
    checker = Checker(read_attempts(options.clients), Ledger(options.database), options.prices, disks=disks)
    print(checker.report(1 << 30 if options.all else 12))
    return 0 if checker.passed else 1


if __name__ == "__main__":
    sys.exit(main())
