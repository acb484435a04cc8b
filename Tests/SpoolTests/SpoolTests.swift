import Foundation
import Testing
import Wire

@testable import Spool

@Suite struct SpoolTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func numbersEventsFromOneAndSendsThemInOrder() throws {
        var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7)
        #expect(try spool.append(events(1...3)) == 3)
        #expect(try spool.append([event(4)]) == 4)
        #expect(try spool.unacknowledged(from: 1, limit: 10) == RecordBatch(first: 1, events: events(1...4)))
        #expect(try spool.unacknowledged(from: 3, limit: 1) == RecordBatch(first: 3, events: [event(3)]))
        #expect(try spool.unacknowledged(from: 5, limit: 10) == nil)
    }

    @Test func acknowledgedEventsAreForgotten() throws {
        var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7)
        try spool.append(events(1...5))
        try spool.acknowledge(through: 3)
        #expect(spool.pending == 2)
        #expect(try spool.unacknowledged(from: 1, limit: 10)?.first == 4)
        try spool.acknowledge(through: 2)
        #expect(spool.acknowledged == 3)
    }

    @Test func acknowledgingMoreThanThereIsCountsAsAll() throws {
        var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7)
        try spool.append(events(1...5))
        try spool.acknowledge(through: .max)
        #expect(spool.pending == 0)
        #expect(spool.acknowledged == 5)
        #expect(try spool.append([event(6)]) == 6)
    }

    @Test func closeRemovesTheFilesOnlyWhenAllIsAcknowledged() throws {
        var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7)
        try spool.append(events(1...2))
        try spool.close()
        #expect(try directory.files().count == 1)
        var again = try Spool(directory: directory.path, instance: "ingest", epoch: 7)
        try again.acknowledge(through: 2)
        try again.close()
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).isEmpty)
    }

    @Test func reopeningGoesOnWithTheNumbers() throws {
        do {
            var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7)
            try spool.append(events(1...3))
        }
        var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7)
        #expect(spool.last == 3)
        #expect(try spool.append([event(4)]) == 4)
        #expect(try spool.unacknowledged(from: 1, limit: 10) == RecordBatch(first: 1, events: events(1...4)))
    }

    @Test func whatAKilledOwnerLeavesIsReadToItsLastRecord() throws {
        var living = try Spool(directory: directory.path, instance: "ingest", epoch: 7)
        let left = try TemporaryDirectory()
        // Its file as it stands at the kill: not cut off behind the last record.
        for number in 1...40 {
            try living.append([event(number)])
            let name = try #require(try directory.files().first)
            let bytes = try Data(contentsOf: URL(fileURLWithPath: directory.path + "/" + name))
            #expect(bytes.last == 0)
            try bytes.write(to: URL(fileURLWithPath: left.path + "/" + name))
            var spool = try adopted(in: left)
            #expect(spool.last == UInt64(number))
            #expect(spool.tornBytes == 0 && spool.damagedRecords == 0)
            let batch = try spool.unacknowledged(from: 1, limit: 100)
            #expect(batch == RecordBatch(first: 1, events: events(1...number)))
            try spool.acknowledge(through: .max)
            try spool.close()
        }
        try living.acknowledge(through: .max)
        try living.close()
    }

    @Test func aTornTailIsToleratedAtEveryByte() throws {
        do {
            var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7)
            try spool.append(events(1...3))
        }
        let path = directory.path + "/" + (try #require(try directory.files().first))
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        let record = (whole.count - SpoolRecord.headerSize) / 3
        for length in 0..<whole.count {
            for name in try directory.files() {
                try FileManager.default.removeItem(atPath: directory.path + "/" + name)
            }
            try whole.prefix(length).write(to: URL(fileURLWithPath: path))
            var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7)
            let kept = max(0, length - SpoolRecord.headerSize) / record
            #expect(spool.last == UInt64(kept), "cut at \(length)")
            try spool.append([event(kept + 1)])
            let batch = try spool.unacknowledged(from: 1, limit: 10)
            #expect(batch == RecordBatch(first: 1, events: events(1...kept + 1)), "cut at \(length)")
        }
    }

    @Test func aDamagedRecordCostsItselfOnly() throws {
        do {
            var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7)
            try spool.append(events(1...3))
        }
        let path = directory.path + "/" + (try #require(try directory.files().first))
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        let record = (bytes.count - SpoolRecord.headerSize) / 3
        bytes[SpoolRecord.headerSize + record + record / 2] ^= 1
        try bytes.write(to: URL(fileURLWithPath: path))
        var spool = try adopted(in: directory)
        #expect(spool.damagedRecords == 1)
        #expect(try spool.unacknowledged(from: 1, limit: 10) == RecordBatch(first: 1, events: [event(1)]))
        try spool.acknowledge(through: 1)
        #expect(try spool.unacknowledged(from: 1, limit: 10) == RecordBatch(first: 3, events: [event(3)]))
        try spool.acknowledge(through: 3)
        #expect(spool.pending == 0)
    }

    @Test func whatIsBeyondTheWindowComesFromDisk() throws {
        let settings = SpoolSettings(windowEvents: 4, segmentBytes: 2_000, keptBytes: 100)
        var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7, settings: settings)
        for number in 1...100 { try spool.append([event(number)]) }
        #expect(try directory.files().count > 2)
        var received: [LedgerEvent] = []
        while let batch = try spool.unacknowledged(from: 1, limit: 3) {
            #expect(batch.events.count <= 3)
            #expect(batch.first == UInt64(received.count) + 1)
            received += batch.events
            try spool.acknowledge(through: UInt64(received.count))
            // Appending while behind must not overtake what is on disk.
            if received.count == 30 || received.count == 60 { try spool.append([event(100 + received.count / 30)]) }
        }
        #expect(received == events(1...102))
        #expect(try directory.files().isEmpty)
    }

    @Test func segmentsGoAsTheyAreAcknowledged() throws {
        let settings = SpoolSettings(windowEvents: 1_000, segmentBytes: 1_000, keptBytes: 0)
        var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7, settings: settings)
        var most = 0
        for number in 1...400 {
            try spool.append([event(number)])
            if number > 10 { try spool.acknowledge(through: UInt64(number - 10)) }
            most = max(most, try directory.files().count)
        }
        #expect(most <= 4)
        #expect(try spool.unacknowledged(from: 1, limit: 100) == RecordBatch(first: 391, events: events(391...400)))
    }

    @Test func anEventThatAccountingWouldRefuseIsRefusedHere() throws {
        var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7)
        let long = event(1, tenant: String(repeating: "x", count: WireLimits.nameBytes + 1))
        #expect(throws: SpoolError.self) { try spool.append([event(2), long]) }
        #expect(spool.last == 0)
        #expect(try spool.unacknowledged(from: 1, limit: 10) == nil)
    }

    @Test func aFileOfAnotherKindIsNotTaken() throws {
        try Data(repeating: 0x20, count: 100)
            .write(to: URL(fileURLWithPath: directory.path + "/x-0000000000000001.0000000000000001.spool"))
        if try Spool.adopt(in: directory.path, wallTime: 1) != nil { Issue.record("it was taken for a spool") }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory.path).allSatisfy { $0.hasSuffix(".damaged") })
    }

    @Test func aDirectoryThatCannotBeIsAnError() throws {
        let path = directory.path + "/file"
        try Data().write(to: URL(fileURLWithPath: path))
        #expect(throws: SpoolError.self) {
            _ = try Spool(directory: path + "/spool", instance: "ingest", epoch: 7)
        }
    }
}
