import Foundation
import Wire

@testable import Spool

private let path = "/dev/shm/tokenfactory-fuzz-\(getpid()).spool"

/// A segment, or the open requests, that a disk or a killed owner left as it is: read to its end, no more records than
/// its bytes can hold.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard FileManager.default.createFile(atPath: path, contents: Data(UnsafeBufferPointer(start: start, count: count)))
    else { return 0 }
    do throws(SpoolError) {
        if let open = try OpenRequestForm.read(path: path) { precondition(open.ends.count * 576 <= count) }
        guard var reader = try SegmentReader(path: path) else { return 0 }
        var records = 0
        while let item = try reader.next() {
            records += 1
            precondition(records <= count)
            if case .torn = item { break }
        }
    } catch {}
    return 0
}
