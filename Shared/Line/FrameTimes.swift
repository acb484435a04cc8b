public import Wire

/// The longest that one frame of each kind has held a station's thread, from its receipt until the next one was looked
/// for. A plain value: noting costs a comparison.
public struct FrameTimes: Sendable {
    /// How long one frame may hold the thread, in nanoseconds, and how long a link's frames do together before the others
    /// have their turn: a link that is full of the longest frames must not keep heartbeats waiting.
    public static let budget: UInt64 = 20_000_000

    private var longest = [UInt64](repeating: 0, count: 64)

    public init() {}

    /// Notes how long a frame held the thread; nothing where it is no frame of a known kind.
    public mutating func note(_ frame: Span<UInt8>, _ nanoseconds: UInt64) {
        guard frame.count >= FrameHeader.size else { return }
        let index = Int(frame[FrameHeader.kindOffset])
        if index < longest.count, nanoseconds > longest[index] { longest[index] = nanoseconds }
    }

    /// In nanoseconds; 0 where none has come.
    subscript(_ kind: FrameKind) -> UInt64 {
        Int(kind.rawValue) < longest.count ? longest[Int(kind.rawValue)] : 0
    }

    /// Calls `body` with each kind that has come, and nanoseconds.
    public func forEach(_ body: (FrameKind, UInt64) -> Void) {
        for kind in FrameKind.allCases where self[kind] > 0 { body(kind, self[kind]) }
    }
}
