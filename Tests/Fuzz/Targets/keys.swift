@testable import Keys

/// The file of clients' keys, which is read again while the doors are open.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let text = String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    do throws(KeyFileError) { _ = try KeyFile.parse(text, path: "keys") } catch {}
    return 0
}
