@testable import LoadGenerator

/// Recorded loads in each format; the first byte says which, and how fast it is replayed.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    guard let first = bytes.first else { return 0 }
    let formats = Trace.Format.allCases
    let text = String(decoding: bytes.dropFirst(), as: UTF8.self)
    do throws(LoadError) {
        let trace = try Trace(text, format: formats[Int(first) % formats.count], speed: first & 128 == 0 ? 1 : 1e-6)
        precondition(zip(trace.rows, trace.rows.dropFirst()).allSatisfy { $0.offset <= $1.offset })
    } catch {}
    return 0
}
