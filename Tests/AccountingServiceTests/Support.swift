import AccountingService
import Economics
import Foundation
import Ledger
import LedgerDatabase
import LedgerStore
import Line
import Logging
import Station
import Transport
import Wire

/// An accounting on a free port, with a ledger in a directory of its own.
final class TestAccounting: Sendable {
    let directory: String
    let store: LedgerStore
    let presence: LedgerPresence
    let loop: AccountingStation
    var database: String { directory + "/ledger.sqlite" }

    init(waitingEvents: Int = 65_536, lockTimeoutSeconds: Double = 5, line: LineSettings = LineSettings()) throws {
        directory =
            FileManager.default.temporaryDirectory.appendingPathComponent("accounting-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        store = try LedgerStore(
            path: directory + "/ledger.sqlite", prices: .illustrative,
            settings: LedgerSettings(lockTimeoutSeconds: lockTimeoutSeconds), now: 1)
        presence = LedgerPresence(timeToLive: 1_000_000_000_000)
        loop = try AccountingStation(
            AccountingSettings(name: "accounting", line: line, waitingEvents: waitingEvents),
            AccountingStation.Listening(ledgerLink: .tcp(host: "127.0.0.1", port: 0)),
            station: StationParts(name: "accounting"), writer: LedgerWriter(store, presence: presence),
            log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }
}

/// A station below accounting, whose frames are made by hand.
actor TestProducer {
    nonisolated let reactor: Reactor
    nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.executor }
    nonisolated let epoch: UInt64
    private let links: LowerLinks
    private var link: UInt32?
    private var session: UInt32 = 0
    private var frame = FrameBuffer(capacity: 4096)
    private(set) var acknowledged: UInt64 = 0
    private(set) var answers: [ClaimAnswer] = []
    private(set) var ended: [Status] = []

    var isConnected: Bool { link != nil }

    init(_ accounting: Endpoint, role: StationRole, epoch: UInt64? = nil, line: LineSettings = LineSettings()) throws {
        let station = try StationParts(name: "producer")
        reactor = station.reactor
        self.epoch = epoch ?? station.epoch
        var line = line
        line.stepAgeLimit = nil
        links = LowerLinks(
            station.context, reactor: station.reactor, targets: [accounting],
            side: DialSide(role: role, epoch: self.epoch, name: "producer", settings: line))
    }

    func start() {
        links.attach(
            onReadable: { [weak self] link in self?.assumeIsolated { $0.drain(link) } },
            onMonitor: { [weak self] link, event in
                self?.assumeIsolated { $0.links.handle(event, on: link, now: MonotonicClock.now()) }
            })
        reactor.setTick(every: 5_000_000) { [weak self] in
            self?.assumeIsolated { $0.links.side.tick(MonotonicClock.now()) }
        }
        reactor.setTurnEnd { [weak self] in self?.assumeIsolated { $0.perform() } }
    }

    func stop() { links.close() }

    func send(first: UInt64, _ events: LedgerEvent...) {
        guard let link else { return }
        RecordBatch(first: first, events: events).encode(into: &frame, session: session)
        links.send(&frame, on: link, session: session)
    }

    func send(_ claim: Claim) {
        guard let link else { return }
        claim.encode(into: &frame, session: session)
        links.send(&frame, on: link, session: session)
    }

    private func drain(_ link: UInt32) {
        try? links.drain(link) { header, bytes, _, _ throws(WireError) in
            switch header.kind {
            case .recordAck: acknowledged = try Count(decoding: bytes, header: header).value
            case .claimAnswer: answers.append(try ClaimAnswer(decoding: bytes, header: header))
            default: throw WireError(.unexpectedKind, offset: 3)
            }
        }
    }

    private func perform() {
        links.perform { action in
            switch action {
            case .sessionBegan(let link, let welcome):
                self.link = link
                session = welcome.session
            case .sessionEnded(_, _, let status, _):
                link = nil
                ended.append(status)
            default: break
            }
        }
    }
}

/// Waits for a state, at most ten seconds.
func becomes(_ condition: () async throws -> Bool) async rethrows -> Bool {
    let end = MonotonicClock.now() + 240_000_000_000
    while MonotonicClock.now() < end {
        if try await condition() { return true }
        try? await Task.sleep(for: .milliseconds(5))
    }
    return false
}

/// Events of one request.
struct Request {
    var number: UInt64 = 1
    var tenant = "acme"

    func event(_ kind: EventKind, _ role: StationRole, by producer: UInt64) -> LedgerEvent {
        var event = LedgerEvent(
            kind: kind, requestID: RequestID(high: 1, low: number), producerRole: role, producer: producer, wallTime: 5,
            tenant: tenant, model: "model", worker: "worker")
        if kind == .reserve { event.maximumTokens = 20 }
        return event
    }

    func reserve(by producer: UInt64) -> LedgerEvent { event(.reserve, .ingest, by: producer) }

    func settle(by producer: UInt64, delivered: UInt32 = 3) -> LedgerEvent {
        var event = event(.settle, .ingest, by: producer)
        event.outcome = .stop
        event.deliveredTokens = delivered
        return event
    }
}
