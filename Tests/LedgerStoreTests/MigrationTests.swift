import Economics
import Foundation
import GRDB
import Ledger
import LedgerDatabase
import LedgerStore
import Testing
import Wire

/// Ledgers that the version before wrote.
@Suite struct MigrationTests {
    private let directory: String

    init() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("before-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    private func fixture(_ name: String) throws -> String {
        let root = try #require(Bundle.module.resourceURL).appendingPathComponent("Fixtures")
        let path = directory + "/\(name).sqlite"
        for end in ["", ".key"] {
            try FileManager.default.copyItem(
                atPath: root.appendingPathComponent("\(name).sqlite\(end)").path, toPath: path + end)
        }
        return path
    }

    private func remove() { try? FileManager.default.removeItem(atPath: directory) }

    private func anchor(_ sequence: Int64, _ madeAt: Int64, _ hash: String, _ signature: String) throws -> Checkpoint {
        Checkpoint(
            number: 0, sequence: sequence, hash: try #require(Data(base64Encoded: hash)), madeAt: madeAt,
            signature: try #require(Data(base64Encoded: signature)))
    }

    @Test func aLedgerOfTheVersionBeforeGoesOn() throws {
        defer { remove() }
        let path = try fixture("version1-ended")
        let anchor = try anchor(
            53, 1_000_000_002_000, "kX5eWEI013YkcjyiH94ZvX7k7BdxComxUzKFVdKmLj8=",
            "Ocj5GYbZG8Iv5qd5rq/sknqMdG8c3gnt0gxjSKS+RBKm43klyBGnTqfl2p0HKbJWrKkqkPVDe5fXhhTnJ36dDQ==")
        let before = try LedgerReader(path: path)
        #expect(try before.audit(anchor: anchor).findings.allSatisfy { $0.severity == .notice })
        #expect(try before.requests(labelled: "x", tenant: "acme").isEmpty)
        let report = try before.report(by: .tenant)
        let balances = try before.balances()
        var store: LedgerStore? = try LedgerStore(path: path, prices: TestLedger.prices(), now: 2_000_000_000_000)
        let reader = try #require(store?.reader)
        #expect(try reader.report(by: .tenant) == report)
        #expect(try reader.balances() == balances)
        #expect(try reader.audit(anchor: anchor).passed)
        // What it knows it knows still, and what is new goes on behind it.
        let known = Stations(number: 3)
        let new = Stations(number: 100)
        let result = try store?.apply(
            [known.reserve(), known.settle(delivered: 5), new.reserve(), new.settle(delivered: 0)].enumerated().map {
                ProducerBatch(
                    producer: Stations.ingest, batch: RecordBatch(first: UInt64($0.offset) + 1, events: [$0.element]))
            }, now: 2_000_000_000_001)
        #expect(result?.duplicates == 2)
        #expect(result?.recorded == 2)
        store = nil
        let after = try LedgerReader(path: path).audit(anchor: anchor)
        #expect(after.passed, "\(after.findings)")
        #expect(after.counts.events == 55)
    }

    @Test func anOpenRequestOfTheVersionBeforeIsSettled() throws {
        defer { remove() }
        let path = try fixture("version1-open")
        let store = try LedgerStore(path: path, prices: TestLedger.prices(), now: 2_000_000_000_000)
        let other = Stations(number: 3, tenant: "umbrella", model: "small")
        func send(_ event: LedgerEvent) throws -> ApplyResult {
            try store.apply(
                [ProducerBatch(producer: event.producer, batch: RecordBatch(first: 10, events: [event]))], now: 1)
        }
        // Whose it is was read from its events.
        #expect(try send(other.settle(delivered: 2, by: 0x1002)).offenders == [0x1002: .foreignRequest])
        #expect(try send(other.settle(delivered: 2)).conflicts.isEmpty)
        #expect(try store.reader.requests(.numbered(3)).first?.billedTokens == 2)
        let anchor = try anchor(
            9, 1_000_000_000_000, "05CxTkHrLcYfXTGolFI2EglPnfntOF3ezF8Gdz7uPXE=",
            "pZCUrT2gBEc8mM0oShqkScHnCbupIxIYhNBv4cJA3buotLxjVP8q/6XWbLw8B2b0qYzZ/dZ5VWqWgxcWkn6sCA==")
        #expect(try store.reader.audit(anchor: anchor).passed)
    }
}
