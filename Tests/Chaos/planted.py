"""Faults planted into copies of a run's ledger and logs: each must be found by the checker, or it proves nothing."""

import collections
import copy
import sqlite3
import struct

import checker

# Where an event's body has its delivered tokens: docs/ledger.md, little endian.
KIND_AT, DELIVERED_AT = 1, checker.Event.FIXED.size - 17 - 12


def plant(attempts, database, prices, folder, disks=()):
    """Number of planted faults, and those that the checker did not find, in words."""
    clean = checker.Checker(attempts, checker.Ledger(database), prices, disks=disks)
    whole = [a for a in attempts if a["outcome"] == "whole" and a["tokens"] > 1 and clean.matched.get(a["number"])
             and clean.matched[a["number"]].state == 1]
    if len(whole) < 2:
        return 1, ["too few whole answers to plant anything"]
    attempt, other = whole[len(whole) // 2], whole[len(whole) // 3]
    request = clean.matched[attempt["number"]]
    tried, missed = [], []

    def ledger(name, kinds, *statements):
        path = folder / "planted.sqlite"
        path.unlink(missing_ok=True)
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as source, sqlite3.connect(path) as target:
            source.backup(target)
        edited = sqlite3.connect(path)
        for (trigger,) in edited.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            edited.execute(f"drop trigger {trigger}")
        for sql, values in statements:
            assert edited.execute(sql, values).rowcount, sql
        edited.commit()
        edited.close()
        judge(name, kinds, attempts, path)
        path.unlink()

    def judge(name, kinds, log, path):
        tried.append(name)
        found = checker.Checker(log, checker.Ledger(path), prices, disks=disks)
        if not any(len(found.violations[kind]) > len(clean.violations[kind]) for kind in kinds):
            missed.append(name)

    high, low = (struct.unpack("<q", struct.pack("<Q", int(request.id[at:at + 16], 16)))[0] for at in (0, 16))
    row = "select id from request where tenant = ? and id_high = ? and id_low = ?"
    who = (request.tenant, high, low)
    (end,) = (request.ended_by,)
    ledger("a settle that is missing", ["lost"],
           ("delete from event where sequence = ?", (end,)), ("delete from posting where event = ?", (end,)))
    ledger("a settle that is missing, its row and balance mended", ["lost"],
           ("delete from event where sequence = ?", (end,)), ("delete from posting where event = ?", (end,)),
           (f"update request set state = 0, billed = 0, amount = 0 where id = ({row})", who))
    ledger("a charge booked twice", ["doubled"],
           ("insert into posting select event, tenant, debit, credit, amount from posting where event = ? and "
            "debit = 1 and credit = 2", (end,)))
    ledger("a charge booked beside the end", ["doubled"],
           ("insert into posting select event - 1, tenant, debit, credit, amount from posting where event = ? and "
            "debit = 1 and credit = 2", (end,)))
    body = sqlite3.connect(f"file:{database}?mode=ro", uri=True).execute(
        "select body from event where sequence = ?", (end,)).fetchone()[0]

    def edited(change):
        (delivered,) = struct.unpack_from("<I", body, DELIVERED_AT)
        return body[:DELIVERED_AT] + struct.pack("<I", delivered + change) + body[DELIVERED_AT + 4:]

    ledger("an answer billed one token short", ["unbilled"], ("update event set body = ? where sequence = ?",
                                                              (edited(-1), end)))
    ledger("an answer billed one token more", ["not delivered"], ("update event set body = ? where sequence = ?",
                                                                  (edited(1), end)))
    void = body[:KIND_AT] + bytes([checker.VOID]) + body[KIND_AT + 1:]
    ledger("an answer that was voided", ["lost"], ("update event set body = ?, kind = ? where sequence = ?",
                                                   (void, checker.VOID, end)))
    stranger = body[:2] + bytes(16) + body[18:]
    ledger("a bill for what nobody asked", ["unexplained", "not delivered"] if not silent(attempts, clean, request)
           else ["doubled", "books", "unexplained"],
           ("insert into event select (select max(sequence) from event) + 1, kind, received, x'00', ?, hash from event "
            "where sequence = ?", (stranger, end)))

    def expired(name, request):
        """As if the ledger had never heard of the end."""
        key = sqlite3.connect(f"file:{database}?mode=ro", uri=True).execute(
            "select name from event where sequence = ?", (request.ended_by,)).fetchone()[0]
        key = bytes(key)[:16 + 4 + len(request.tenant.encode())]
        ledger(name, ["lost"],
               ("update event set kind = ?, name = ?, body = ? where sequence = ?",
                (checker.EXPIRED, key + bytes([checker.EXPIRED]), key, request.ended_by)),
               ("delete from posting where event = ?", (request.ended_by,)))

    gone = {life["epoch"] for disk in disks for life in disk["lives"]}
    there = [r for a in whole for r in [clean.matched[a["number"]]] if r.owner not in gone]
    if there:
        expired("an answer that expired, of an ingest whose disk is there", there[len(there) // 2])
    told = [r for a in whole for r in [clean.matched[a["number"]]]
            if r.owner in gone and a["ended"] < clean.told.get(r.owner, 0)]
    if told:
        expired("an answer that expired, of an ingest whose disk is gone, from before what it had told", told[-1])
    # What the clients say, changed.
    log = copy.deepcopy(attempts)
    next(a for a in log if a["number"] == attempt["number"])["tokens"] += 1
    judge("a client that had one token more", ["unbilled"], log, database)
    log = copy.deepcopy(attempts)
    next(a for a in log if a["number"] == attempt["number"])["id"] = other["id"] if other["id"] else "f" * 32
    judge("two answers with one id, or an id that the ledger has not", ["doubled", "lost"], log, database)
    log = copy.deepcopy(attempts)
    for a in log:
        if a["number"] in (attempt["number"], other["number"]):
            a |= {"key": "planted", "tenant": attempt["tenant"]}
    judge("a key that bought two answers", ["doubled"], log, database)
    return len(tried), missed


def silent(attempts, clean, request):
    """Whether the tenant has clients whose request nobody knows: then one more bill is told by the books alone."""
    count = collections.Counter(a["tenant"] for a in attempts if a["number"] not in clean.matched)
    return count[request.tenant] > 0
