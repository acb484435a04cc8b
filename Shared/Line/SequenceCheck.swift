/// Counts the frames of one direction of a session. Connections keep order, so a gap means that frames were lost (a
/// connection was replaced under the session) and a number seen before means a replay.
struct SequenceCheck: Sendable {
    enum Outcome: Equatable, Sendable {
        case inOrder
        case replayed
        case gap
    }

    private(set) var last: UInt64 = 0

    init(last: UInt64 = 0) { self.last = last }

    mutating func take(_ sequence: UInt64) -> Outcome {
        if sequence <= last { return .replayed }
        guard sequence == last + 1 else { return .gap }
        last = sequence
        return .inOrder
    }
}
