package import GRDB

/// Tables of the SQLite ledger. `event` and `checkpoint` are the record; `posting` and `conflict` are derived rows
/// that are only ever added; `request`, `attempt`, `balance` and `producer` are projections. `claim` stands beside the
/// record: who has which idempotency key for how long.
package enum Schema {
    package static let version: Int64 = 2
    /// The oldest version that is read, and brought up to this one when it is opened for writing.
    package static let oldest: Int64 = 1

    private static let record = """
        CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE event (
            sequence INTEGER PRIMARY KEY, kind INTEGER NOT NULL, received INTEGER NOT NULL,
            name BLOB NOT NULL UNIQUE, body BLOB NOT NULL, hash BLOB NOT NULL) STRICT;
        CREATE TABLE checkpoint (
            number INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, hash BLOB NOT NULL, made_at INTEGER NOT NULL,
            signature BLOB NOT NULL) STRICT;
        CREATE TABLE posting (
            event INTEGER NOT NULL, tenant TEXT NOT NULL, debit INTEGER NOT NULL, credit INTEGER NOT NULL,
            amount INTEGER NOT NULL CHECK (amount > 0)) STRICT;
        CREATE TABLE conflict (
            event INTEGER PRIMARY KEY, request INTEGER NOT NULL, reason INTEGER NOT NULL) STRICT;
        """

    private static let projections = """
        CREATE TABLE attempt (
            event INTEGER PRIMARY KEY, request INTEGER NOT NULL, ingest_attempt INTEGER NOT NULL,
            tokenizer_attempt INTEGER NOT NULL, producer INTEGER NOT NULL, witness INTEGER NOT NULL,
            prompt INTEGER NOT NULL, cached INTEGER NOT NULL, produced INTEGER NOT NULL, counted INTEGER NOT NULL,
            stands INTEGER NOT NULL, after_cancel INTEGER NOT NULL, microjoules INTEGER, energy_source INTEGER NOT NULL,
            outcome INTEGER NOT NULL, worker TEXT NOT NULL, model TEXT NOT NULL) STRICT;
        CREATE INDEX attempt_request ON attempt (request);
        CREATE TABLE producer (epoch INTEGER PRIMARY KEY, through INTEGER NOT NULL) STRICT;
        """

    private static let requestColumns = """
        id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, id_high INTEGER NOT NULL, id_low INTEGER NOT NULL,
            tenant TEXT NOT NULL, model TEXT NOT NULL, opened_at INTEGER NOT NULL, prices INTEGER NOT NULL,
            state INTEGER NOT NULL, ended_by INTEGER, reserved INTEGER NOT NULL, amount INTEGER NOT NULL,
            prompt INTEGER NOT NULL, cached INTEGER NOT NULL, produced INTEGER NOT NULL, delivered INTEGER NOT NULL,
            billed INTEGER NOT NULL, wasted INTEGER NOT NULL, attempts INTEGER NOT NULL
        """

    private static let changing1 = """
        CREATE TABLE request (
            \(requestColumns)) STRICT;
        CREATE INDEX request_open ON request (opened_at) WHERE state = 0;
        CREATE TABLE balance (
            tenant TEXT NOT NULL, account INTEGER NOT NULL, debits INTEGER NOT NULL, credits INTEGER NOT NULL,
            PRIMARY KEY (tenant, account)) STRICT, WITHOUT ROWID;
        """

    /// The tables that version 2 changed.
    package static let changing2 = """
        CREATE TABLE request (
            \(requestColumns),
            owner INTEGER, maximum INTEGER NOT NULL, label TEXT NOT NULL) STRICT;
        CREATE INDEX request_open ON request (owner) WHERE state = 0;
        CREATE INDEX request_label ON request (tenant, label) WHERE label <> '';
        CREATE TABLE balance (
            tenant TEXT NOT NULL, account INTEGER NOT NULL, debits_high INTEGER NOT NULL, debits INTEGER NOT NULL,
            credits_high INTEGER NOT NULL, credits INTEGER NOT NULL,
            PRIMARY KEY (tenant, account)) STRICT, WITHOUT ROWID;
        CREATE TABLE claim (
            tenant TEXT NOT NULL, key TEXT NOT NULL, digest BLOB NOT NULL, id_high INTEGER NOT NULL,
            id_low INTEGER NOT NULL, producer INTEGER NOT NULL, made_at INTEGER NOT NULL,
            PRIMARY KEY (tenant, key)) STRICT, WITHOUT ROWID;
        CREATE INDEX claim_age ON claim (made_at);
        """

    /// Rows of the record cannot be changed by a mistaken statement; a deliberate hand is what the chain is for.
    static let guards = ["event", "checkpoint", "posting", "conflict"].map {
        """
        CREATE TRIGGER \($0)_no_update BEFORE UPDATE ON \($0) BEGIN SELECT RAISE(ABORT, 'rows are immutable'); END;
        CREATE TRIGGER \($0)_no_delete BEFORE DELETE ON \($0) BEGIN SELECT RAISE(ABORT, 'rows are immutable'); END;
        """
    }

    /// Makes the tables of an empty database.
    package static func create(_ db: Database, version: Int64 = version) throws {
        try db.execute(sql: record)
        try db.execute(sql: version == 1 ? changing1 : changing2)
        try db.execute(sql: projections)
        for trigger in guards { try db.execute(sql: trigger) }
        try db.execute(sql: "PRAGMA user_version = \(version)")
    }
}
