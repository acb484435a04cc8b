@testable import OpenAIDoor

/// Bodies of both completion endpoints; the first byte says which.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    guard let first = bytes.first else { return 0 }
    let reader = RequestReader(form: first & 1 == 0 ? .chat : .text, maximumTokens: 4096)
    _ = reader.result(of: Array(bytes.dropFirst()))
    return 0
}
