import Foundation
import Wire

/// What clients have got of the requests that are reserved and not ended, in a mapped file beside an ingest's spool: a
/// store for each change and no system call, so that whoever takes the spool over after a kill can settle them.
///
/// For one thread at a time. The file is a header and places of one size (`OpenRequestForm`); it grows by blocks of
/// places and never shrinks.
final class OpenRequests: Sendable {
    private struct State: Sendable {
        var blocks: [Block] = []
        var free: [OpenRequest] = []
    }

    /// Places that are mapped together.
    final class Block: Sendable {
        let bytes: MappedBytes
        init(_ bytes: consuming MappedBytes) { self.bytes = bytes }
    }

    private let descriptor: Int32
    private let path: String
    private let header: Block
    // The owner is one thread at a time, as is the spool's that holds this.
    nonisolated(unsafe) private var state = State()

    init(path: String, epoch: UInt64, worker: String) throws(SpoolError) {
        self.path = path
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw .system("create", path, errno) }
        do {
            header = Block(try MappedBytes(descriptor: descriptor, count: OpenRequestForm.headerSize, path: path))
        } catch {
            close(descriptor)
            unsafe unlink(path)
            throw error
        }
        header.bytes.write(OpenRequestForm.header(epoch: epoch, worker: worker)[...], at: 0)
    }

    deinit { close(descriptor) }

    /// Notes the number of the last event in the spool, for the case that no segment is left to tell it.
    func note(last: UInt64) { header.bytes.publish(last, at: OpenRequestForm.lastOffset) }

    /// A place for a request; nothing stands in it before `OpenRequest.begin`.
    func place(for event: LedgerEvent, room: Int) throws(SpoolError) -> OpenRequest {
        if unsafe state.free.isEmpty { try grow() }
        guard var place = unsafe state.free.popLast() else { throw .system("grow", path, ENOSPC) }
        place.room = room
        place.prepare(event)
        return place
    }

    /// Takes a place back whose request has ended, or was never begun.
    func free(_ place: OpenRequest) {
        place.end()
        unsafe state.free.append(place)
    }

    private func grow() throws(SpoolError) {
        let offset = unsafe OpenRequestForm.headerSize + state.blocks.count * OpenRequestForm.blockSize
        let block = Block(
            try MappedBytes(descriptor: descriptor, offset: offset, count: OpenRequestForm.blockSize, path: path))
        unsafe state.blocks.append(block)
        for index in (0..<OpenRequestForm.blockPlaces).reversed() {
            unsafe state.free.append(OpenRequest(block: block, offset: index * OpenRequestForm.placeSize, room: 0))
        }
    }
}

/// One request's place in the file beside the spool, for whoever has to settle it if this process dies. Each note is a
/// store into mapped memory.
///
/// On the thread of the spool's owner. Belongs to the request from `Spool.reserve` until `Spool.free`.
public struct OpenRequest: Sendable {
    let block: OpenRequests.Block
    let offset: Int
    /// Bytes that are set aside for its events.
    var room: Int

    /// Tokens that stand in frames which went out, or that the client's socket took.
    public func note(deliveredTokens: UInt32) { store(deliveredTokens, OpenRequestForm.deliveredOffset) }

    /// Tokens of the prompt, and how many of them came from a cache.
    public func note(promptTokens: UInt32, cachedTokens: UInt32) {
        store(promptTokens, OpenRequestForm.promptOffset)
        store(cachedTokens, OpenRequestForm.cachedOffset)
    }

    /// The number of the attempt that its events name.
    public func note(attempt: UInt16) { store(UInt32(attempt), OpenRequestForm.attemptOffset) }

    /// Writes what does not change; the place still counts as free.
    func prepare(_ event: LedgerEvent) {
        store(0, OpenRequestForm.stateOffset)
        OpenRequestForm.write(event, at: offset, to: block.bytes)
    }

    /// The reservation stands in the spool.
    func begin() { store(1, OpenRequestForm.stateOffset) }

    /// The end stands in the spool.
    func end() { store(0, OpenRequestForm.stateOffset) }

    private func store(_ value: UInt32, _ field: Int) { block.bytes.publish(value, at: offset + field) }
}
