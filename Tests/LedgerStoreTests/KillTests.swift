import Economics
import Foundation
import Ledger
import LedgerDatabase
import LedgerStore
import Testing
import Wire

/// A real `kill -9` while a ledger commits: nothing that was acknowledged is lost, and the file passes its audit.
@Suite(.serialized) struct KillTests {
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func whatWasAcknowledgedSurvivesAKill(seed: UInt64) async throws {
        let ledger = try TestLedger()
        let path = ledger.path
        ledger.close()
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
            var requests: UInt64 = 0
            while true {
                let result = try store.apply(KillTests.batches(after: requests), now: 2)
                requests = (result.acknowledged[Stations.ingest] ?? 0) / 2
                try note.write(contentsOf: Data("\(requests)\n".utf8))
            }
        }
        let last =
            try String(contentsOf: URL(fileURLWithPath: acknowledged), encoding: .utf8)
            .split(separator: "\n").last.flatMap { UInt64($0) } ?? 0
        let audit = try LedgerReader(path: path).audit()
        #expect(audit.passed, "seed \(seed): \(audit.findings.map(\.description))")
        #expect(UInt64(audit.counts.settled) >= last, "seed \(seed)")
        try ledger.reopen()
        // The producers send all again.
        var sent: UInt64 = 0
        while sent <= last + 100 {
            _ = try ledger.store.apply(Self.batches(after: sent), now: 3)
            sent += 10
        }
        let requests = Int128(sent)
        #expect(
            try ledger.balances() == [
                .receivable: requests * 8_000, .revenue: requests * -8_000, .produced: requests * -9,
                .billed: requests * 7, .waste: requests * 2,
            ], "seed \(seed)")
        #expect(try ledger.audit().passed, "seed \(seed)")
    }

    /// The events of ten requests: the ones that their producers' spools have under these numbers.
    static func batches(after requests: UInt64) -> [ProducerBatch] {
        let lives = (1...10 as ClosedRange<UInt64>).map { Stations(number: requests + $0) }
        return [
            ProducerBatch(
                producer: Stations.ingest, role: .ingest,
                batch: RecordBatch(
                    first: requests * 2 + 1, events: lives.flatMap { [$0.reserve(), $0.settle(delivered: 7)] })),
            ProducerBatch(
                producer: Stations.worker, role: .inferenceWorker,
                batch: RecordBatch(first: requests + 1, events: lives.map { $0.attempt(produced: 9) })),
        ]
    }
}
