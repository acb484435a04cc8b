import Seeds
import Foundation
import Testing
import Wire

@testable import Spool

@Suite struct OrphanTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func aLivingOwnersSpoolIsLeftAlone() throws {
        var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7)
        try spool.append(events(1...2))
        #expect(try !hasOrphan(in: directory))
        #expect(throws: SpoolError.self) { _ = try Spool(directory: directory.path, instance: "ingest", epoch: 7) }
        try spool.append([event(3)])
        #expect(spool.pending == 3)
    }

    @Test func theSpoolOfOneThatIsGoneIsAdoptedOnce() throws {
        do {
            var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7)
            try spool.append(events(1...3))
        }
        var orphan = try adopted(in: directory)
        #expect(orphan.epoch == 7)
        #expect(try !hasOrphan(in: directory))
        let batch = try #require(try orphan.unacknowledged(from: 1, limit: 10))
        #expect(batch == RecordBatch(first: 1, events: events(1...3)))
        try orphan.acknowledge(through: 3)
        try orphan.close()
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).isEmpty)
    }

    @Test func anAdopterThatDiesLeavesTheSpoolToTheNext() throws {
        do {
            var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7)
            try spool.append(events(1...3))
        }
        do {
            var orphan = try adopted(in: directory)
            try orphan.acknowledge(through: 2)
        }
        var orphan = try adopted(in: directory)
        // What was acknowledged without its segment being removed comes again: the ledger counts it once.
        #expect(try orphan.unacknowledged(from: 1, limit: 10)?.events.last == event(3))
    }

    @Test func emptySpoolsOfTheDeadAreRemoved() throws {
        do {
            let settings = SpoolSettings(keptBytes: 0)
            var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7, settings: settings)
            try spool.append(events(1...3))
            try spool.acknowledge(through: 3)
        }
        // Died while it made its first segment.
        let torn = SpoolFiles(directory: directory.path, instance: "worker", epoch: 9)
        try Data(SpoolRecord.header(epoch: 9, first: 1).prefix(5))
            .write(to: URL(fileURLWithPath: torn.segmentPath(first: 1)))
        #expect(try !hasOrphan(in: directory))
        #expect(try directory.files().isEmpty)
    }

    @Test func severalOrphansAreAdoptedOneByOne() throws {
        for epoch in 1...5 as ClosedRange<UInt64> {
            var spool = try Spool(directory: directory.path, instance: "worker", epoch: epoch)
            try spool.append([event(Int(epoch))])
        }
        var epochs: Set<UInt64> = []
        while var orphan = try Spool.adopt(in: directory.path, wallTime: 1) {
            epochs.insert(orphan.epoch)
            try orphan.acknowledge(through: 1)
            try orphan.close()
        }
        #expect(epochs == [1, 2, 3, 4, 5])
    }

    /// The spool in the state that a kill at any moment leaves: what was appended is there, acknowledged or not.
    @Test(arguments: [1 as UInt64, 2, 3, 4, 5, 6, 7, 8])
    func nothingUnacknowledgedIsLostWhateverTheOrder(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let settings = SpoolSettings(windowEvents: 5, segmentBytes: 1_500, keptBytes: 600)
        var appended = 0
        var acknowledged = 0
        for _ in 0..<20 {
            var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7, settings: settings)
            if spool.last == 0, appended > 0 {
                // All was acknowledged and no file is left: numbers begin again, as for a new process.
                #expect(acknowledged == appended, "seed \(seed)")
                appended = 0
                acknowledged = 0
            }
            for _ in 0..<(random.next() % 40) {
                if random.next() % 3 > 0 {
                    let count = Int(random.next() % 4) + 1
                    try spool.append(events(appended + 1...appended + count))
                    appended += count
                } else if let batch = try spool.unacknowledged(from: 1, limit: 4) {
                    #expect(batch.events == events(Int(batch.first)...Int(batch.first) + batch.events.count - 1))
                    #expect(batch.first <= UInt64(acknowledged) + 1, "seed \(seed)")
                    acknowledged = max(acknowledged, Int(batch.first) + batch.events.count - 1)
                    try spool.acknowledge(through: batch.first + UInt64(batch.events.count) - 1)
                }
            }
            #expect(spool.last == UInt64(appended), "seed \(seed)")
        }
        guard var spool = try Spool.adopt(in: directory.path, wallTime: 1) else {
            #expect(acknowledged == appended, "seed \(seed)")
            return
        }
        var next: UInt64?
        while let batch = try spool.unacknowledged(from: 1, limit: 3) {
            #expect(batch.first == next ?? batch.first, "seed \(seed)")
            #expect(batch.first <= UInt64(acknowledged) + 1 || next != nil, "seed \(seed)")
            next = batch.first + UInt64(batch.events.count)
            try spool.acknowledge(through: batch.first + UInt64(batch.events.count) - 1)
        }
        #expect(next ?? UInt64(appended) + 1 == UInt64(appended) + 1, "seed \(seed)")
    }
}

@Suite struct DamagedOrphanTests {
    /// A file without a header, of a spool whose name comes first, kept all others from being taken over.
    @Test(arguments: ["nothing but zeros", "no spool at all", "another's header"])
    func oneThatCannotBeReadDoesNotKeepTheOthersWaiting(_ kind: String) throws {
        let directory = try TemporaryDirectory()
        let broken = SpoolFiles(directory: directory.path, instance: "a-first", epoch: 1)
        let content: [UInt8] =
            switch kind {
            case "nothing but zeros": Array(repeating: 0, count: 4096)
            case "no spool at all": Array(repeating: 0x41, count: 4096)
            default: SpoolRecord.header(epoch: 99, first: 7)
            }
        try Data(content).write(to: URL(fileURLWithPath: broken.segmentPath(first: 1)))
        do {
            var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7)
            try spool.append(events(1...3))
        }
        var damaged: [String] = []
        guard
            var orphan = try Spool.adopt(
                in: directory.path, wallTime: 1, onDamaged: { path, _ in damaged.append(path) })
        else {
            Issue.record("the other spool was not adopted")
            return
        }
        #expect(orphan.epoch == 7)
        #expect(damaged.count == (kind == "nothing but zeros" ? 0 : 1))
        try orphan.acknowledge(through: 3)
        try orphan.close()
        // It is said once, and looked at no more.
        if try Spool.adopt(in: directory.path, wallTime: 1, onDamaged: { path, _ in damaged.append(path) }) != nil {
            Issue.record("something was adopted again")
        }
        #expect(damaged.count == (kind == "nothing but zeros" ? 0 : 1))
        #expect(damaged.allSatisfy { FileManager.default.fileExists(atPath: $0) })
    }
}
