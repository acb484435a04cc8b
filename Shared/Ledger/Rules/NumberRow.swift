/// Which numbers of a producer's events are on disk.
///
/// `through` is the last number up to which none is missing: what may be acknowledged. Numbers beyond a missing one are
/// remembered, so that they count as soon as it comes.
struct NumberRow: Equatable {
    private(set) var through: UInt64
    /// In order, apart from each other and from `through`.
    private(set) var ahead: [ClosedRange<UInt64>]

    /// Pieces that are remembered; more only cost that events are sent again.
    private static let pieces = 64

    init(through: UInt64, ahead: [ClosedRange<UInt64>] = []) {
        self.through = through
        self.ahead = ahead
    }

    /// Takes a batch's numbers in.
    /// - Parameter isAll: what is missing before them will never come, as the spool is gone without it.
    /// - Returns: the numbers that are missing for good.
    mutating func take(_ numbers: ClosedRange<UInt64>, isAll: Bool) -> [ClosedRange<UInt64>] {
        var missing: [ClosedRange<UInt64>] = []
        if isAll {
            while numbers.lowerBound > through, numbers.lowerBound - through > 1 {
                let next = min(ahead.first?.lowerBound ?? numbers.lowerBound, numbers.lowerBound)
                missing.append((through + 1)...(next - 1))
                through = next - 1
                join()
            }
        }
        insert(numbers)
        join()
        return missing
    }

    private mutating func insert(_ numbers: ClosedRange<UInt64>) {
        guard numbers.upperBound > through else { return }
        var merged = numbers
        var rest: [ClosedRange<UInt64>] = []
        for piece in ahead {
            let touches =
                piece.lowerBound <= merged.upperBound &+ 1 && merged.lowerBound <= piece.upperBound &+ 1
                || piece.overlaps(merged)
            if touches {
                merged = min(piece.lowerBound, merged.lowerBound)...max(piece.upperBound, merged.upperBound)
            } else {
                rest.append(piece)
            }
        }
        rest.append(merged)
        ahead = rest.sorted { $0.lowerBound < $1.lowerBound }
        if ahead.count > Self.pieces { ahead.removeLast(ahead.count - Self.pieces) }
    }

    /// Moves `through` over the pieces that follow it.
    private mutating func join() {
        while let next = ahead.first, next.lowerBound <= through || next.lowerBound - through <= 1 {
            through = max(through, next.upperBound)
            ahead.removeFirst()
        }
    }
}
