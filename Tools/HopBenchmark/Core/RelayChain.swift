import Transport

/// The floor of the whole line: a client and as many processes with as many sockets as a request crosses, in C, which
/// only pass messages on; the last answers.
final class RelayChain {
    private let client: FloorCaller
    private let children: [ChildProcess]

    /// Stations between the client and the one that answers.
    static let relays = 2

    /// - Parameter keys: over CURVE, one key pair for the whole chain; nil for plain links.
    init(keys: KeyPair? = nil) throws(BenchError) {
        // The keys are this run's own and worth nothing outside it, so they may stand in a command line.
        let pair = keys.map { [$0.publicKey.z85, $0.secretKey.z85] } ?? []
        let first = try ChildProcess(peer: ["relay"] + pair)
        let bound = try first.line().split(separator: " ").map(String.init)
        guard bound.count == 2 else { throw .process("a relay says \(bound)") }
        let second = try ChildProcess(peer: ["relay"] + pair + [bound[1]])
        let last = try ChildProcess(peer: ["floor", try second.line()] + pair.prefix(1) + pair)
        children = [first, second, last]
        client = try FloorCaller.connected(to: bound[0], keys: keys)
        try client.awaitEcho()
    }

    deinit { stop() }

    func stop() { for child in children { child.stop() } }

    /// Round trips of messages of these lengths.
    func run(_ round: LineRound, down: Int, up: Int) throws(BenchError) -> [UInt64] {
        try client.run(round, down: down, up: up)
    }
}

/// A bare ping-pong between two processes over loopback: a round trip of one hop, measured on its own.
final class BarePingPong {
    private let caller: FloorCaller
    private let echo: ChildProcess

    init() throws(BenchError) {
        caller = try FloorCaller.bound(to: "tcp://127.0.0.1:*")
        echo = try ChildProcess(peer: ["floor", caller.endpoint])
        try caller.awaitEcho()
    }

    deinit { stop() }

    func stop() { echo.stop() }

    func run(_ round: LineRound, down: Int, up: Int) throws(BenchError) -> [UInt64] {
        try caller.run(round, down: down, up: up)
    }
}

extension FloorCaller {
    /// One message at a time.
    fileprivate func run(_ round: LineRound, down: Int, up: Int) throws(BenchError) -> [UInt64] {
        var exchange = ExchangeRound(.hot, bodyBytes: down, effort: 1)
        (exchange.warmup, exchange.count) = (round.warmup, round.count)
        exchange.pauseMicroseconds = round.pauseMicroseconds
        return try run(exchange, down: down, up: up).samples
    }
}
