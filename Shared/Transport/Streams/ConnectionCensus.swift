/// Counts a listening socket's connections and says who has to go before another one comes.
struct ConnectionCensus: Sendable {
    /// What a newcomer does to the rest.
    enum Verdict: Equatable, Sendable {
        case welcome
        /// The handshake that began first ends, and the question is asked again.
        case endHandshake
        /// The stranger that came first goes, if one is there, and the question is asked again.
        case endStranger
        /// The same among those from the newcomer's address.
        case endStrangerOfAddress
    }

    let limits: ConnectionLimits
    private(set) var connections = 0
    private(set) var handshakes = 0
    private(set) var strangers = 0
    private var addresses: [PeerAddress: Int] = [:]
    /// Over all connections: see ``ConnectionLimits``.
    var begunBytes = 0
    var unsentBytes = 0

    init(_ limits: ConnectionLimits) { self.limits = limits }

    func verdict(on address: PeerAddress?) -> Verdict {
        if let address, addresses[address, default: 0] >= limits.connectionsPerAddress {
            return .endStrangerOfAddress
        }
        if handshakes >= limits.handshakes { return .endHandshake }
        if strangers >= limits.strangers || connections >= limits.connections { return .endStranger }
        return .welcome
    }

    /// Whether what is counted is within the bounds.
    func holds(_ address: PeerAddress?) -> Bool {
        connections <= limits.connections
            && (address.map { addresses[$0, default: 0] <= limits.connectionsPerAddress } ?? true)
    }

    mutating func came(from address: PeerAddress?) {
        connections += 1
        handshakes += 1
        strangers += 1
        if let address { addresses[address, default: 0] += 1 }
    }

    mutating func shookHands() { handshakes -= 1 }

    mutating func madeKnown() { strangers -= 1 }

    mutating func left(_ address: PeerAddress?, isShaking: Bool, isStranger: Bool) {
        connections -= 1
        if isShaking { handshakes -= 1 }
        if isStranger { strangers -= 1 }
        guard let address, let count = addresses[address] else { return }
        addresses[address] = count > 1 ? count - 1 : nil
    }
}
