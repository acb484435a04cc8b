import Foundation

/// The same exchange over gRPC: `grpc-bench peer`, which is a client with a server in a process of its own, round by
/// round.
final class GRPCPeer {
    /// How a body goes there and back.
    enum Kind: String, Encodable, CaseIterable {
        /// One call for each.
        case unary
        /// On bidirectional streams that stay open for the round.
        case stream

        var name: String { "gRPC \(rawValue)" }
    }

    /// `grpc-bench` has the same in its `PeerCommand`.
    private struct Round: Encodable {
        var kind: Kind
        var bytes: Int
        var window: Int
        var windowOfStream: Int
        var pauseMicroseconds: UInt32
        var milliseconds: Int
        var warmupMilliseconds: Int
    }

    private struct Outcome: Decodable {
        var samples: [UInt64]
        var elapsed: UInt64
        var processor: UInt64
    }

    private let program: String
    private let socket: String?
    private let cores: CoreSplit?
    private var starts = 0
    /// Nil after a round that failed; the next one starts another.
    private var child: ChildProcess?

    /// Starts it, and returns when its server serves.
    ///
    /// - Parameter socket: what the path of a Unix socket begins with; nil for loopback TCP.
    init(program: String, socket: String?, cores: CoreSplit?) throws(BenchError) {
        self.program = program
        self.socket = socket
        self.cores = cores
        child = try start()
    }

    private func start() throws(BenchError) -> ChildProcess {
        starts += 1
        let child = try ChildProcess(program: program, peer: socket.map { ["--socket", "\($0)-\(starts)"] } ?? [])
        guard let server = Int32(try child.line()) else { throw .process("\(program) does not say its server's id") }
        if let cores {
            try CoreSplit.pin(child.pid, to: cores.callers)
            try CoreSplit.pin(server, to: cores.peers)
        }
        return child
    }

    /// Blocks until the round is over. It has a time instead of a count, since gRPC takes many times as long for an
    /// exchange. What hangs is given up after ten seconds.
    func run(_ kind: Kind, _ round: ExchangeRound) throws(BenchError) -> ExchangeResult {
        // Whoever reads an answer writes the next body; with no more than this on its stream the writer does not wait.
        let windowOfStream = max(1, min(32, 32_768 / round.bodyBytes))
        let request = Round(
            kind: kind, bytes: round.bodyBytes, window: round.window, windowOfStream: windowOfStream,
            pauseMicroseconds: round.pauseMicroseconds, milliseconds: round.milliseconds,
            warmupMilliseconds: round.milliseconds / 5)
        let child = if let child { child } else { try start() }
        self.child = child
        let outcome: Outcome
        do {
            try child.tell(String(decoding: try JSONEncoder().encode(request), as: UTF8.self))
            outcome = try JSONDecoder().decode(Outcome.self, from: Data(try child.line(within: 10).utf8))
        } catch let error as BenchError {
            stop()
            throw error
        } catch {
            stop()
            throw .process("grpc-bench: \(error)")
        }
        return ExchangeResult(
            samples: outcome.samples, elapsed: outcome.elapsed, processor: outcome.processor,
            exchanges: outcome.samples.count)
    }

    func stop() {
        child?.stop()
        child = nil
    }

    /// Where `make bench-grpc` puts the program: below the folder that this one was built in, or below the current one.
    static func find() -> String? {
        let place = "Benchmarks/.build/release/grpc-bench"
        var folder = URL(fileURLWithPath: ChildProcess.ownProgram)
        var candidates = [place]
        for _ in 0..<5 {
            folder.deleteLastPathComponent()
            candidates.append(folder.appendingPathComponent(place).path)
        }
        return candidates.first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}
