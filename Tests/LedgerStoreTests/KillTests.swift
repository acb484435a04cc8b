import Economics
import Foundation
import LedgerStore
import Testing
import Wire

/// A real `kill -9` while a ledger commits: nothing that was acknowledged is lost, and the file passes its audit.
@Suite(.serialized) struct KillTests {
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func whatWasAcknowledgedSurvivesAKill(seed: UInt64) async throws {
        let ledger = try TestLedger()
        let path = ledger.path
        let acknowledged = path + ".acknowledged"
        try Data().write(to: URL(fileURLWithPath: acknowledged))
        await #expect(processExitsWith: .signal(SIGKILL)) {
            [path = path as String, acknowledged = acknowledged as String, seed = seed as UInt64] in
            let store = try LedgerStore(path: path, prices: TestLedger.prices(), now: 1)
            let note = try FileHandle(forWritingTo: URL(fileURLWithPath: acknowledged))
            let thread = Thread {
                usleep(UInt32(3_000 * seed))
                kill(getpid(), SIGKILL)
            }
            thread.start()
            var first: UInt64 = 1
            while true {
                let events = KillTests.events(from: first)
                let result = try store.apply(
                    [ProducerBatch(producer: 1, batch: RecordBatch(first: first, events: events))], now: 2)
                first = (result.acknowledged[1] ?? 0) + 1
                try note.write(contentsOf: Data("\(first - 1)\n".utf8))
            }
        }
        let last =
            try String(contentsOf: URL(fileURLWithPath: acknowledged), encoding: .utf8)
            .split(separator: "\n").last.flatMap { UInt64($0) } ?? 0
        let audit = try LedgerReader(path: path).audit()
        #expect(audit.passed, "seed \(seed): \(audit.findings.map(\.description))")
        #expect(UInt64(audit.counts.settled) >= last / 3, "seed \(seed)")
        try ledger.reopen()
        // The producer sends all again.
        var first: UInt64 = 1
        while first <= last + 300 {
            let batch = RecordBatch(first: first, events: Self.events(from: first))
            _ = try ledger.store.apply([ProducerBatch(producer: 1, batch: batch)], now: 3)
            first += 30
        }
        let requests = Int64((first - 1) / 3)
        #expect(
            try ledger.balances() == [
                .receivable: requests * 8_000, .revenue: requests * -8_000, .produced: requests * -9,
                .billed: requests * 7, .waste: requests * 2,
            ], "seed \(seed)")
        #expect(try ledger.audit().passed, "seed \(seed)")
    }

    /// Thirty events of ten requests: the ones that the producer's spool has under these numbers.
    static func events(from first: UInt64) -> [LedgerEvent] {
        var events: [LedgerEvent] = []
        for offset in 0..<10 as Range<UInt64> {
            let stations = Stations(number: (first - 1) / 3 + offset + 1)
            events += [stations.reserve(), stations.attempt(produced: 9), stations.settle(delivered: 7)]
        }
        return events
    }
}
