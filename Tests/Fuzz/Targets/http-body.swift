@testable import OpenAIDoor

/// Bodies of all endpoints that take one; the first byte says which.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    guard let first = bytes.first else { return 0 }
    let body = Array(bytes.dropFirst())
    switch first & 3 {
    case 0: _ = RequestReader(form: .chat, maximumTokens: 4096).result(of: body)
    case 1: _ = RequestReader(form: .text, maximumTokens: 4096).result(of: body)
    case 2: _ = TokenReader(form: .tokenize).result(of: body)
    default: _ = TokenReader(form: .detokenize).result(of: body)
    }
    return 0
}
