/// Looks for stop strings in a text that comes in pieces.
///
/// Text that could be the beginning of a stop string is held back until that is decided. The first stop string to be
/// complete ends the text just before it; of several that are complete at the same byte, the longest counts. So the
/// result does not depend on how the text was cut. Each byte costs a constant number of steps per stop string
/// (Knuth, Morris and Pratt 1977).
public struct StopMatcher: Equatable, Sendable {
    private var patterns: [Pattern]
    /// Text not given out yet: the longest suffix that is the beginning of a stop string.
    private var held: [UInt8] = []

    /// Whether a stop string was found; everything after it is ignored.
    public private(set) var isStopped = false

    /// Empty strings are left out, for they would stop every text before its first byte.
    public init(_ stops: [String] = []) {
        patterns = stops.filter { !$0.isEmpty }.map { Pattern(Array($0.utf8)) }
    }

    /// Whether there is nothing to look for.
    public var isEmpty: Bool { patterns.isEmpty }

    /// Stop strings to look for.
    var count: Int { patterns.count }

    /// Bytes held back at the moment.
    public var heldCount: Int { held.count }

    /// Takes the next piece of text, and appends to `text` what cannot belong to a stop string.
    ///
    /// - Parameter mayStop: false lets a stop string that is complete in this piece pass.
    /// - Returns: whether a stop string is complete, now or before.
    @discardableResult
    public mutating func push(_ piece: [UInt8], mayStop: Bool = true, into text: inout [UInt8]) -> Bool {
        if isStopped { return true }
        let before = held.count
        held += piece

        for index in piece.indices {
            var found = 0
            for pattern in patterns.indices where patterns[pattern].advance(piece[index]) {
                found = max(found, patterns[pattern].bytes.count)
            }
            if found > 0 && mayStop {
                text += held[..<(before + index + 1 - found)]
                held.removeAll()
                isStopped = true
                return true
            }
        }

        let undecided = patterns.reduce(0) { max($0, $1.matched) }
        if held.count > undecided {
            text += held[..<(held.count - undecided)]
            held.removeSubrange(..<(held.count - undecided))
        }
        return false
    }

    /// Ends the text: what was held back is no stop string any more.
    public mutating func flush(into text: inout [UInt8]) {
        text += held
        held.removeAll()
        for index in patterns.indices { patterns[index].matched = 0 }
    }

    private struct Pattern: Equatable, Sendable {
        let bytes: [UInt8]
        /// At `i`, the length of the longest proper suffix of the first `i + 1` bytes that is a prefix too.
        private let failure: [Int]
        /// Bytes of the pattern that the text ends with; always fewer than all.
        var matched = 0

        init(_ bytes: [UInt8]) {
            self.bytes = bytes
            var failure = [0]
            var length = 0
            for byte in bytes.dropFirst() {
                while length > 0 && bytes[length] != byte { length = failure[length - 1] }
                if bytes[length] == byte { length += 1 }
                failure.append(length)
            }
            self.failure = failure
        }

        /// - Returns: whether the pattern ends with this byte.
        mutating func advance(_ byte: UInt8) -> Bool {
            while matched > 0 && bytes[matched] != byte { matched = failure[matched - 1] }
            if bytes[matched] == byte { matched += 1 }
            guard matched == bytes.count else { return false }
            matched = failure[matched - 1]
            return true
        }
    }
}
