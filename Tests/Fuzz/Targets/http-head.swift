@testable import DoorHeads
import NIOCore
import NIOEmbedded
import NIOHTTP1

/// Heads of requests as they come over a connection, through NIO's parser with the door's limits and what the door reads
/// of a head. The first byte says into how large pieces the rest is cut.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    guard let first = bytes.first else { return 0 }
    let channel = EmbeddedChannel()
    var limits = NIOHTTPDecoderLimitConfiguration()
    limits.maxHeaderListSize = 32 << 10
    let decoder = HTTPRequestDecoder(
        leftOverBytesStrategy: .dropBytes, informationalResponseStrategy: .drop, limitConfiguration: limits)
    do {
        try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(decoder))
        let size = max(1, Int(first))
        var rest = bytes.dropFirst()
        while !rest.isEmpty {
            try channel.writeInbound(ByteBuffer(bytes: rest.prefix(size)))
            rest = rest.dropFirst(size)
            while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
                if case .head(let head) = part { read(head) }
            }
        }
    } catch {}
    _ = try? channel.finish(acceptAlreadyClosed: true)
    return 0
}

private func read(_ head: HTTPRequestHead) {
    let path = Route.path(of: head.uri)
    // A path that was cleaned is clean.
    precondition(Route.path(of: path) == path)
    _ = Route(path).label
    do {
        let labels = try RequestLabels(head.headers)
        precondition(labels.label.utf8.count <= 256 && labels.idempotencyKey.utf8.count <= 255)
    } catch {}
}
