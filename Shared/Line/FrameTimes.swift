public import Wire

/// The longest that one frame of each kind has held a station's thread, from its receipt until the next one was looked
/// for. A plain value: noting costs a comparison.
public struct FrameTimes: Sendable {
    /// How long one frame may hold the thread, in nanoseconds, and how long a link's frames do together before the others
    /// have their turn: a link that is full of the longest frames must not keep heartbeats waiting.
    public static let budget: UInt64 = 20_000_000

    private var longest = [UInt64](repeating: 0, count: 64)

    public init() {}

    /// - Parameter nanoseconds: how long the thread was held.
    public mutating func note(_ kind: FrameKind, _ nanoseconds: UInt64) {
        let index = Int(kind.rawValue)
        if index < longest.count, nanoseconds > longest[index] { longest[index] = nanoseconds }
    }

    /// The same for a frame whose header may not be one.
    public mutating func note(_ frame: Span<UInt8>, _ nanoseconds: UInt64) {
        guard frame.count >= FrameHeader.size else { return }
        let index = Int(frame[FrameHeader.kindOffset])
        if index < longest.count, nanoseconds > longest[index] { longest[index] = nanoseconds }
    }

    /// In nanoseconds; 0 where none has come.
    public subscript(_ kind: FrameKind) -> UInt64 {
        Int(kind.rawValue) < longest.count ? longest[Int(kind.rawValue)] : 0
    }

    /// Calls `body` for each kind that has come.
    public func forEach(_ body: (FrameKind, UInt64) -> Void) {
        for kind in FrameKind.allCases where self[kind] > 0 { body(kind, self[kind]) }
    }
}
