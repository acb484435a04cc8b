import ZMTP

/// A connection from its first byte: the greeting, READY, then frames and commands, cut where the first byte says.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    guard let first = bytes.first else { return 0 }
    do throws(ZMTPError) { try connection(bytes.dropFirst(), piece: Int(first & 63) + 1, first & 64 == 0) } catch {}
    return 0
}

private func connection(_ bytes: ArraySlice<UInt8>, piece: Int, _ isRouter: Bool) throws(ZMTPError) {
    var handshake = Handshake(isRouter ? .router : .dealer(identity: [1, 2, 3]))
    var waiting: [UInt8] = []
    var rest = bytes
    var isThrough = false
    while !rest.isEmpty {
        waiting += rest.prefix(piece)
        rest = rest.dropFirst(piece)
        while !isThrough {
            let step = try handshake.receive(waiting.span)
            precondition(step.consumed <= waiting.count)
            waiting.removeFirst(step.consumed)
            isThrough = step.peer != nil
            if step.consumed == 0 { break }
        }
        while isThrough, let head = try FrameHead(waiting.span, limit: 1 << 20), head.length <= waiting.count {
            if head.isCommand {
                _ = try Command(waiting.span.extracting(head.headLength..<head.length))
            }
            waiting.removeFirst(head.length)
        }
    }
}
