import Foundation
import Spool
import Wire

/// A directory of its own that goes with the value.
final class TemporaryDirectory {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("spool-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func files(_ suffix: String = ".spool") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(suffix) }.sorted()
    }
}

func event(_ number: Int, tenant: String = "tenant") -> LedgerEvent {
    LedgerEvent(
        kind: .settle, requestID: RequestID(high: 1, low: UInt64(number)), producerRole: .ingest, producer: 7,
        outcome: .stop, promptTokens: 3, deliveredTokens: UInt32(number), wallTime: 1_000, tenant: tenant,
        model: "model", worker: "ingest-1")
}

func events(_ numbers: ClosedRange<Int>) -> [LedgerEvent] { numbers.map { event($0) } }

struct NoOrphan: Error {}

/// The next orphan; the macros of the tests take no values that cannot be copied.
func adopted(in directory: TemporaryDirectory) throws -> Spool {
    guard let spool = try Spool.adopt(in: directory.path, wallTime: 1) else { throw NoOrphan() }
    return spool
}

func hasOrphan(in directory: TemporaryDirectory) throws -> Bool {
    try Spool.adopt(in: directory.path, wallTime: 1) != nil
}

/// A folder as it stands at this moment, as if its owner had been killed.
func killedCopy(of directory: TemporaryDirectory) throws -> TemporaryDirectory {
    let copy = try TemporaryDirectory()
    for name in try FileManager.default.contentsOfDirectory(atPath: directory.path) where !name.hasSuffix(".lock") {
        try FileManager.default.copyItem(atPath: directory.path + "/" + name, toPath: copy.path + "/" + name)
    }
    return copy
}
