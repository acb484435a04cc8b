import Foundation
import Testing
import Wire

@testable import Spool

/// An ingest that is killed in mid-stream: what its clients had got is settled by whoever takes its spool over.
@Suite struct OpenRequestTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func reservation(_ number: Int, tenant: String = "tenant") -> LedgerEvent {
        var event = event(number, tenant: tenant)
        event.kind = .reserve
        event.outcome = .none
        event.promptTokens = 0
        event.deliveredTokens = 0
        event.maximumTokens = 100
        event.ingestAttempt = 3
        return event
    }

    private func adoptedEvents(_ copy: TemporaryDirectory) throws -> [LedgerEvent] {
        var orphan = try adopted(in: copy)
        #expect(orphan.epoch == 7)
        let batch = try orphan.unacknowledged(from: 1, limit: 1000)
        try orphan.acknowledge(through: .max)
        try orphan.close()
        #expect(try FileManager.default.contentsOfDirectory(atPath: copy.path).isEmpty)
        return batch?.events ?? []
    }

    @Test func whatWasHandedOutIsSettledAndWhatWasNotIsVoid() throws {
        var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7)
        var places: [OpenRequest] = []
        for number in 1...3 {
            let event = reservation(number)
            places.append(try spool.reserve(event, room: 500))
            try spool.append([event])
            spool.begin(places[number - 1])
        }
        places[0].note(promptTokens: 12, cachedTokens: 4)
        places[0].note(deliveredTokens: 40)
        places[0].note(deliveredTokens: 41)
        places[0].note(attempt: 5)
        try spool.append([event(3)])
        spool.free(places[2])

        let events = try adoptedEvents(try killedCopy(of: directory))
        #expect(events.count == 6)
        let settled = try #require(events.first { $0.kind == .settle && $0.requestID.low == 1 })
        #expect(settled.deliveredTokens == 41 && settled.promptTokens == 12 && settled.cachedTokens == 4)
        #expect(settled.ingestAttempt == 5 && settled.maximumTokens == 100 && settled.outcome == .lost)
        #expect(settled.tenant == "tenant" && settled.model == "model" && settled.worker == "ingest-1")
        #expect(settled.producer == 7 && settled.wallTime == 1)
        #expect(events.filter { $0.kind == .void }.map(\.requestID.low) == [2])
        #expect(events.filter { $0.kind == .settle && $0.requestID.low == 3 }.count == 1)
    }

    @Test func aRequestWhoseEndIsWrittenIsNotEndedAgain() throws {
        var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7)
        let place = try spool.reserve(reservation(1), room: 500)
        try spool.append([reservation(1)])
        spool.begin(place)
        place.note(deliveredTokens: 9)
        // Killed between the end and the note that it is written.
        try spool.append([event(1)])
        #expect(try adoptedEvents(try killedCopy(of: directory)) == [reservation(1), event(1)])
    }

    @Test func aReservationThatWasNotWrittenIsNotEnded() throws {
        var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7)
        _ = try spool.reserve(reservation(1), room: 500)
        #expect(try !hasOrphan(in: try killedCopy(of: directory)))
    }

    /// All events are acknowledged, no segment is left, and the numbers still go on where they were.
    @Test func numbersGoOnWhereNoSegmentIsLeft() throws {
        var spool = try Spool(
            directory: directory.path, instance: "ingest", epoch: 7,
            settings: SpoolSettings(segmentBytes: 64, keptBytes: 0))
        let place = try spool.reserve(reservation(1), room: 500)
        try spool.append([reservation(1)] + events(2...9))
        spool.begin(place)
        place.note(deliveredTokens: 5)
        try spool.acknowledge(through: 9)
        #expect(try directory.files().isEmpty)
        var orphan = try adopted(in: try killedCopy(of: directory))
        let batch = try #require(try orphan.unacknowledged(from: 1, limit: 10))
        #expect(batch.first == 10 && batch.events.map(\.kind) == [.settle])
    }

    @Test func anAdopterThatIsKilledSettlesNothingTwice() throws {
        var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7)
        let place = try spool.reserve(reservation(1), room: 500)
        try spool.append([reservation(1)])
        spool.begin(place)
        place.note(deliveredTokens: 5)
        let first = try killedCopy(of: directory)
        let open = try #require(try first.files(".open").first)
        let table = try Data(contentsOf: URL(fileURLWithPath: first.path + "/" + open))
        do { _ = try adopted(in: first) }
        // As if the adopter had been killed before it removed the table.
        try table.write(to: URL(fileURLWithPath: first.path + "/" + open))
        #expect(try adoptedEvents(first).map(\.kind) == [.reserve, .settle])
    }

    @Test func placesAreUsedAgain() throws {
        var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7)
        for round in 0..<3 {
            var places: [OpenRequest] = []
            for number in 1...1000 {
                let place = try spool.reserve(reservation(round * 1000 + number), room: 100)
                spool.begin(place)
                place.note(deliveredTokens: 1)
                places.append(place)
            }
            for place in places { spool.free(place) }
        }
        let size =
            try FileManager.default.attributesOfItem(
                atPath: directory.path + "/" + (try #require(try directory.files(".open").first)))[.size] as? Int
        #expect(try #require(size) <= 4096 + 4 * 256 * 576)
        #expect(try !hasOrphan(in: try killedCopy(of: directory)))
    }

    /// The file at every length, and with every byte of it changed, costs nobody a trap.
    @Test func aDamagedTableTrapsNobody() throws {
        var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7)
        let place = try spool.reserve(reservation(1), room: 500)
        spool.begin(place)
        place.note(deliveredTokens: 5)
        let name = try #require(try directory.files(".open").first)
        let whole = try Data(contentsOf: URL(fileURLWithPath: directory.path + "/" + name)).prefix(4096 + 576)
        let path = directory.path + "/other"
        for index in Array(0..<300) + Array(500..<530) + Array(4096..<4096 + 576) {
            var damaged = whole
            damaged[index] ^= 0xff
            try damaged.write(to: URL(fileURLWithPath: path))
            _ = try OpenRequestForm.read(path: path)
            try whole.prefix(index).write(to: URL(fileURLWithPath: path))
            _ = try OpenRequestForm.read(path: path)
        }
    }
}

/// Room on the disk that is kept for the ends of what was taken.
@Suite struct RoomTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func size(_ name: String) throws -> Int {
        try FileManager.default.attributesOfItem(atPath: directory.path + "/" + name)[.size] as? Int ?? 0
    }

    private func inode(_ name: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: directory.path + "/" + name)[.systemFileNumber] as? Int
    }

    /// The next segment needs neither space nor a descriptor: it is the file that was made before the work was taken.
    @Test func theNextSegmentIsTheOneThatWasSetAside() throws {
        var spool = try Spool(
            directory: directory.path, instance: "ingest", epoch: 7, settings: SpoolSettings(segmentBytes: 4096))
        try spool.append([event(1)])
        for _ in 0..<64 { try spool.setAside(Spool.largestRoom) }
        let name = try #require(try directory.files(".spare").first)
        let spare = try inode(name)
        #expect(try size(name) >= 64 * Spool.largestRoom)
        var number = 1
        while try directory.files(".spool").count == 1 {
            number += 1
            try spool.append([event(number, tenant: String(repeating: "n", count: 200))])
        }
        #expect(try inode(try #require(try directory.files(".spool").last)) == spare)
        #expect(try directory.files(".spare").isEmpty)
        try spool.restoreRoom()
        #expect(try directory.files(".spare").count == 1)
    }

    @Test func whatCannotBeSetAsideIsSaid() throws {
        var spool = try Spool(directory: directory.path, instance: "ingest", epoch: 7)
        try FileManager.default.removeItem(atPath: directory.path)
        #expect(throws: SpoolError.self) { try spool.setAside(100) }
        try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
        try spool.setAside(100)
    }

    @Test func roomIsGivenBack() throws {
        var spool = try Spool(
            directory: directory.path, instance: "ingest", epoch: 7, settings: SpoolSettings(segmentBytes: 4096))
        for number in 1...5000 {
            try spool.setAside(1000)
            try spool.append([event(number)])
            spool.giveBack(1000)
        }
        let sizes = try directory.files(".spare").map { try size($0) }
        #expect(sizes.count <= 1 && sizes.allSatisfy { $0 < 10_000 })
    }
}
