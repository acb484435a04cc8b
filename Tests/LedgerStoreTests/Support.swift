import Economics
import Foundation
import GRDB
import Ledger
import LedgerDatabase
import LedgerStore
import Testing
import Wire

/// A ledger in a directory of its own that goes with the value.
final class TestLedger {
    let path: String
    private let directory: String
    let prices: PriceList
    let settings: LedgerSettings
    private var open: LedgerStore?
    var store: LedgerStore { open! }
    var now: UInt64 = 1_000_000_000_000
    /// Reservations expire 1,000 after their ingest has gone; it was never there.
    var clock = ReservationClock(timeToLive: 1_000, now: 1_000_000_000_000)
    private var numbers: [UInt64: UInt64] = [:]

    static func prices(input: Int64 = 100, cached: Int64 = 10, output: Int64 = 1_000) throws -> PriceList {
        try PriceList(
            currency: "USD", asOf: "2026-01-01",
            models: ["*": ModelPrice(input: input, cachedInput: cached, output: output)])
    }

    init(settings: LedgerSettings = LedgerSettings(checkpointRows: 8), prices: PriceList? = nil) throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("ledger-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        path = directory + "/ledger.sqlite"
        self.prices = try prices ?? Self.prices()
        self.settings = settings
        open = try LedgerStore(path: path, prices: self.prices, settings: settings, now: now)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// As after a restart.
    func reopen(prices: PriceList? = nil) throws {
        open = nil
        open = try LedgerStore(path: path, prices: prices ?? self.prices, settings: settings, now: now)
        clock = ReservationClock(timeToLive: 1_000, now: now)
    }

    /// Gives the ledger up to another process.
    func close() { open = nil }

    /// Expires what is due; `now` is the monotonic clock too.
    func expire() throws -> Int {
        let clock = clock
        var noticed = clock
        defer { self.clock = noticed }
        return try store.expire(
            now: now, isGone: { clock.isGone($0, now: now) }, unowned: { noticed.due($0, now: now) })
    }

    func claim(_ key: String, _ request: UInt64, body: UInt64 = 7, tenant: String = "acme", elapsed: UInt64 = 0) throws
        -> ClaimAnswer
    {
        let clock = clock
        let claim = Claim(
            number: request, requestID: .numbered(request), bodyDigest: BodyDigest(body, 0, 0, 0), tenant: tenant,
            key: key)
        return try #require(
            try store.claim([ClaimAsk(claim, producer: Stations.ingest)], elapsed: elapsed) {
                clock.isGone($0, now: now)
            }.first)
    }

    /// Sends the events as their producers' spools would, in this order.
    @discardableResult
    func record(_ events: LedgerEvent...) throws -> ApplyResult { try record(events) }

    @discardableResult
    func record(_ events: [LedgerEvent]) throws -> ApplyResult {
        try store.apply(
            events.map { event in
                let producer = Stations.stating(event)
                numbers[producer, default: 0] += 1
                return ProducerBatch(
                    producer: producer,
                    batch: RecordBatch(first: numbers[producer, default: 1], events: [event]))
            }, now: now)
    }

    func request(_ number: UInt64 = 1) throws -> RequestSummary {
        try #require(try store.reader.requests(.numbered(number)).first)
    }

    /// Debits less credits of each account of the tenant, without those that are 0.
    func balances(_ tenant: String = "acme") throws -> [Account: Int128] {
        Dictionary(
            uniqueKeysWithValues: try store.reader.balances().filter { $0.tenant == tenant && $0.balance != 0 }
                .map { ($0.account, $0.balance) })
    }

    /// What an audit of the file finds, by a reader that has nothing but it.
    func audit(
        anchor: Checkpoint? = nil, publicKey: Data? = nil, grace: AuditGrace? = nil
    ) throws -> AuditResult {
        try LedgerReader(path: path).audit(anchor: anchor, publicKey: publicKey, grace: grace)
    }

    /// Changes the database behind the ledger's back.
    func tamper(_ sql: String) throws {
        try DatabaseQueue(path: path).write { db in
            for table in ["event", "checkpoint", "posting", "conflict"] {
                try db.execute(sql: "DROP TRIGGER \(table)_no_update; DROP TRIGGER \(table)_no_delete")
            }
            try db.execute(sql: sql)
            for table in ["event", "checkpoint", "posting", "conflict"] {
                for (verb, name) in [("UPDATE", "update"), ("DELETE", "delete")] {
                    try db.execute(
                        sql: """
                            CREATE TRIGGER \(table)_no_\(name) BEFORE \(verb) ON \(table) \
                            BEGIN SELECT RAISE(ABORT, 'rows are immutable'); END
                            """)
                }
            }
        }
    }
}

extension RequestID {
    static func numbered(_ number: UInt64) -> RequestID { RequestID(high: 0xa11ce, low: number) }
}

/// The events of one request, as its stations state them.
struct Stations {
    static let ingest: UInt64 = 0x1001
    static let tokenizer: UInt64 = 0x2001
    static let worker: UInt64 = 0x3001
    static let otherWorker: UInt64 = 0x3002

    /// Boot epoch of the process that states it.
    static func stating(_ event: LedgerEvent) -> UInt64 {
        guard event.kind == .lostAttempt else { return event.producer }
        return event.producerRole == .ingest ? ingest : tokenizer
    }

    var number: UInt64 = 1
    var tenant = "acme"
    var model = "model"

    private func event(_ kind: EventKind, _ role: StationRole, _ producer: UInt64, _ worker: String) -> LedgerEvent {
        LedgerEvent(
            kind: kind, requestID: .numbered(number), producerRole: role, producer: producer, wallTime: 5,
            tenant: tenant, model: model, worker: worker)
    }

    func reserve(prompt: UInt32 = 10, maximum: UInt32 = 20, by producer: UInt64 = ingest) -> LedgerEvent {
        var event = event(.reserve, .ingest, producer, "ingest-1")
        event.promptTokens = prompt
        event.maximumTokens = maximum
        return event
    }

    func settle(
        prompt: UInt32 = 10, cached: UInt32 = 0, delivered: UInt32, by producer: UInt64 = ingest
    ) -> LedgerEvent {
        var event = event(.settle, .ingest, producer, "ingest-1")
        event.outcome = .stop
        event.promptTokens = prompt
        event.cachedTokens = cached
        event.deliveredTokens = delivered
        return event
    }

    func void(delivered: UInt32 = 0, by producer: UInt64 = ingest) -> LedgerEvent {
        var event = event(.void, .ingest, producer, "ingest-1")
        event.outcome = .failed
        event.status = .engineFailed
        event.deliveredTokens = delivered
        return event
    }

    func attempt(
        _ ingestAttempt: UInt16 = 1, _ tokenizerAttempt: UInt16 = 1, produced: UInt32, by producer: UInt64 = worker,
        outcome: FinishReason = .stop, microjoules: Int64 = -1, source: UInt8 = 0, afterCancel: UInt32 = 0
    ) -> LedgerEvent {
        var event = event(.attempt, .inferenceWorker, producer, "worker-\(producer & 0xf)")
        event.ingestAttempt = ingestAttempt
        event.tokenizerAttempt = tokenizerAttempt
        event.outcome = outcome
        event.promptTokens = 10
        event.producedTokens = produced
        event.tokensAfterCancel = afterCancel
        event.microjoules = microjoules
        event.energySource = source
        return event
    }

    /// By the tokenizer, of a worker that it lost.
    func lost(
        _ ingestAttempt: UInt16 = 1, _ tokenizerAttempt: UInt16 = 1, received: UInt32, worker producer: UInt64 = worker
    ) -> LedgerEvent {
        var event = event(.lostAttempt, .tokenizer, producer, "worker-\(producer & 0xf)")
        event.ingestAttempt = ingestAttempt
        event.tokenizerAttempt = tokenizerAttempt
        event.outcome = .lost
        event.producedTokens = received
        return event
    }

    /// By ingest, of a tokenizer that it lost with all that stood below.
    func lostLine(_ ingestAttempt: UInt16 = 1, received: UInt32, tokenizer producer: UInt64 = tokenizer) -> LedgerEvent
    {
        var event = event(.lostAttempt, .ingest, producer, "tokenizer-1")
        event.ingestAttempt = ingestAttempt
        event.outcome = .lost
        event.producedTokens = received
        return event
    }
}
