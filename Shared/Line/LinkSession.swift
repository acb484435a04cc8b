/// How a session's number follows from who opened it.
public enum LinkSession {
    /// The session that a hello opens: a hash of both boots, plus the hello's attempt, so that hellos of one dialler
    /// never open the same session twice within 2³² − 1 attempts. Never 0.
    public static func number(above: UInt64, below: UInt64, attempt: UInt32) -> UInt32 {
        var hash = above ^ (below << 32 | below >> 32)
        hash = (hash ^ (hash >> 30)) &* 0xbf58_476d_1ce4_e5b9
        hash = (hash ^ (hash >> 27)) &* 0x94d0_49bb_1331_11eb
        hash ^= hash >> 31
        let number = UInt32(truncatingIfNeeded: hash) &+ attempt
        return number == 0 ? 0x8000_0000 : number
    }
}

/// One session of one peer, as the station above knows it. Cheap to copy and to look up.
public struct SessionRef: Hashable, Sendable {
    /// The peer's routing id.
    public let peer: UInt64
    public let session: UInt32
    let index: UInt32

    init(peer: UInt64, session: UInt32, index: Int) {
        self.peer = peer
        self.session = session
        self.index = UInt32(truncatingIfNeeded: index)
    }
}
