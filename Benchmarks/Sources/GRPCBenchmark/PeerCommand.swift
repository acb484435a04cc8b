import ArgumentParser
import BenchmarkSupport
import EchoService
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Transport

/// gRPC's side of `hopbench hop`, which starts it: each line of its input is a round, each line that it prints what came
/// of one. Before the first it prints its server's process id; the end of its input ends it.
struct PeerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "peer", shouldDisplay: false)

    @Option(help: "Path of a Unix socket, instead of loopback TCP.") var socket: String?

    /// What a line of the input asks for. `hopbench` has the same in its `GRPCPeer`.
    private struct Round: Decodable {
        enum Kind: String, Decodable {
            case unary
            case stream
        }

        var kind: Kind
        var bytes: Int
        /// Requests under way at once, and how many of them one stream has at most.
        var window: Int
        var windowOfStream: Int
        var pauseMicroseconds: Int
        /// How long requests are sent whose figures count, and before that others.
        var milliseconds: Int
        var warmupMilliseconds: Int
    }

    /// What a round gave, in nanoseconds; warm-up is in none of it.
    private struct Outcome: Encodable {
        var samples: [UInt64]
        var elapsed: UInt64
        /// Of both processes.
        var processor: UInt64
    }

    func run() async throws {
        let server = try ServerProcess(socket: socket)
        defer { server.stop() }
        let target: any ResolvableTarget =
            if let socket { .unixDomainSocket(path: socket) } else { .ipv4(address: "127.0.0.1", port: server.port) }
        try await withGRPCClient(
            transport: .http2NIOPosix(target: target, transportSecurity: .plaintext)
        ) { connection in
            let client = Tokenfactory_Benchmarks_Echo.Client(wrapping: connection)
            Self.say(Data("\(server.pid)".utf8))
            for await line in Self.input() {
                let round = try JSONDecoder().decode(Round.self, from: Data(line.utf8))
                Self.say(try JSONEncoder().encode(try await Self.perform(round, client, server)))
            }
        }
    }

    private static func perform(
        _ round: Round, _ client: Tokenfactory_Benchmarks_Echo.Client<HTTP2ClientTransport.Posix>,
        _ server: ServerProcess
    ) async throws -> Outcome {
        let pause = Duration.microseconds(round.pauseMicroseconds)
        let peer: any EchoPeer =
            switch round.kind {
            case .unary: UnaryPeer(client: client, pause: pause)
            case .stream: StreamPeer(client: client, windowOfStream: round.windowOfStream, pause: pause)
            }
        func exchange(milliseconds: Int) async throws -> [UInt64] {
            try await peer.exchange(
                bytes: round.bytes, window: round.window, nanoseconds: UInt64(milliseconds) * 1_000_000)
        }
        _ = try await exchange(milliseconds: round.warmupMilliseconds)
        let processor = ProcessorTime.now() + (try server.processorTime())
        let begun = MonotonicClock.now()
        let samples = try await exchange(milliseconds: round.milliseconds)
        let elapsed = MonotonicClock.now() - begun
        return Outcome(
            samples: samples, elapsed: elapsed,
            processor: ProcessorTime.now() + (try server.processorTime()) - processor)
    }

    /// A thread of its own reads: one that waits for input must not be one of the pool's.
    private static func input() -> AsyncStream<String> {
        AsyncStream { lines in
            Thread.detachNewThread {
                while let line = readLine() { lines.yield(line) }
                // At once, also within a round; the server ends with this process, whose end closes its input.
                Foundation.exit(0)
            }
        }
    }

    private static func say(_ line: Data) { FileHandle.standardOutput.write(line + Data("\n".utf8)) }
}
