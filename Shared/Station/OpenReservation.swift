import Spool

/// A request that is reserved and has not ended, as it stands beside its ingest's spool: what its client gets is noted
/// here, for whoever has to settle it if this process dies.
///
/// Each note is a store into mapped memory. On the thread of the station.
public struct OpenReservation: Sendable {
    let request: OpenRequest
    /// Bytes that are set aside for its events.
    let room: Int

    init(request: OpenRequest, room: Int) {
        self.request = request
        self.room = room
    }

    /// Tokens that stand in frames which went out, or that the client's socket took.
    public func note(deliveredTokens: UInt32) { request.note(deliveredTokens: deliveredTokens) }

    /// Tokens of the prompt, and how many of them came from a cache.
    public func note(promptTokens: UInt32, cachedTokens: UInt32) {
        request.note(promptTokens: promptTokens, cachedTokens: cachedTokens)
    }

    /// The number of the attempt that its events name.
    public func note(attempt: UInt16) { request.note(attempt: attempt) }
}
