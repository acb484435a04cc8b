/// How long to wait after attempts that failed: twice as long each time, up to a maximum, and each time by chance between
/// half of it and all of it, so that those who lost the same peer together do not come back together.
///
/// Times are in nanoseconds; chance is passed in, any 64 bits.
struct Backoff: Hashable, Sendable {
    private let first: UInt64
    private let maximum: UInt64
    private var next: UInt64

    init(first: UInt64, maximum: UInt64) {
        self.first = max(1, first)
        self.maximum = max(self.first, maximum)
        next = self.first
    }

    /// The wait after one more failure.
    mutating func failed(chance: UInt64) -> UInt64 {
        let wait = next
        next = wait > maximum / 2 ? maximum : wait * 2
        return wait / 2 + chance % (wait / 2 + 1)
    }

    /// Begins anew after a success.
    mutating func succeeded() { next = first }
}
