/// Who is at the other end of a frame: a peer on one of the station's links.
///
/// A station counts the links on which it listens, and the lines upward that it dials, each from 0.
public enum Correspondent: Hashable, Sendable {
    /// A peer that has dialled: a client, a station below. `peer` is its routing id.
    case below(link: Int, peer: UInt64)
    /// A station above, at the other end of one of the links of a `DialSide`.
    case above(line: Int, link: UInt32)
}
