/// Tokens on their way from the engine to a tray. One at a time is the rule, and needs no array.
struct PendingTokens {
    private(set) var count = 0
    private var first: UInt32 = 0
    /// Those after the first.
    private var rest: [UInt32] = []

    var isEmpty: Bool { count == 0 }

    mutating func append(_ token: UInt32) {
        if count == 0 { first = token } else { rest.append(token) }
        count += 1
    }

    /// Moves the oldest tokens to the end of `tokens`.
    /// - Parameter taken: at most `count`.
    mutating func take(_ taken: Int, into tokens: inout [UInt32]) {
        guard taken > 0 else { return }
        tokens.append(first)
        if count > 1 { takeRest(taken, into: &tokens) }
        count -= taken
    }

    private mutating func takeRest(_ taken: Int, into tokens: inout [UInt32]) {
        tokens += rest.prefix(taken - 1)
        if taken == count {
            rest.removeAll(keepingCapacity: true)
        } else {
            first = rest[taken - 1]
            rest.removeFirst(taken)
        }
    }
}
