/// One way to send a body to the other process and get as many bytes back.
protocol EchoPeer: Sendable {
    var name: String { get }
    /// Keeps `window` requests outstanding until the time is over, then waits for the rest.
    ///
    /// - Parameters:
    ///   - bytes: Length of a body; a multiple of 4.
    ///   - nanoseconds: How long new requests are sent.
    /// - Returns: Nanoseconds from each request to its answer.
    func exchange(bytes: Int, window: Int, nanoseconds: UInt64) async throws -> [UInt64]
}

/// Why there are no figures.
enum PeerError: Error, CustomStringConvertible {
    /// An answer is not what was sent.
    case answerDiffers(String)
    /// The other process said something unexpected, or is gone.
    case server(String)

    var description: String {
        switch self {
        case .answerDiffers(let peer): "\(peer): an answer is not what was sent"
        case .server(let text): "the server process: \(text)"
        }
    }
}
