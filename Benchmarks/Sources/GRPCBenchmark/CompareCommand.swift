import ArgumentParser
import BenchmarkSupport
import EchoService
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Station
import Transport

/// The client process: the same exchange over each peer in turns.
struct CompareCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract:
            "One hop of the line against unary and streaming gRPC, over loopback, in alternating rounds.")

    @Option(help: "Rounds; each runs every peer once in each mode.")
    var rounds = 7

    @Option(help: "Seconds of one exchange.")
    var seconds = 0.5

    @Option(parsing: .upToNextOption, help: "Bytes of a body, both ways; multiples of 4.")
    var sizes = [64, 1024]

    @Option(help: "Requests on their way in saturated mode.")
    var window = 256

    @Option(help: "Of these, the most on one gRPC stream.")
    var windowOfStream = 32

    @Option(help: "Write the figures to this file as JSON.")
    var json: String?

    func validate() throws {
        guard rounds > 0, seconds > 0, windowOfStream > 0, 1...4096 ~= window, !sizes.isEmpty,
            sizes.allSatisfy({ $0 > 0 && $0 % 4 == 0 && $0 <= 16_384 })
        else {
            throw ValidationError("rounds, seconds, windows or sizes out of range")
        }
    }

    func run() async throws {
        let machine = Machine.current()
        print(machine.text)
        let station = try StationParts(name: "line")
        let line = try LineClient(station)
        await line.start()
        let server = try ServerProcess(line: line.endpoint)
        defer { server.stop() }
        let figures = try await withGRPCClient(
            transport: .http2NIOPosix(
                target: .ipv4(address: "127.0.0.1", port: server.port), transportSecurity: .plaintext)
        ) { connection in
            let client = Tokenfactory_Benchmarks_Echo.Client(wrapping: connection)
            let peers: [any EchoPeer] = [
                line, UnaryPeer(client: client), StreamPeer(client: client, windowOfStream: windowOfStream),
            ]
            var figures: [PeerFigures] = []
            for bytes in sizes { figures += try await compare(peers, bytes: bytes, server) }
            return figures
        }
        let report = PeerReport(
            machine: machine, rounds: rounds, seconds: seconds, window: window, figures: figures)
        print(report.text)
        if let json { try writeJSON(report, to: json) }
    }

    private func compare(_ peers: [any EchoPeer], bytes: Int, _ server: ServerProcess) async throws
        -> [PeerFigures]
    {
        var results: [LoadMode: [[RoundFigures]]] = [:]
        for mode in LoadMode.allCases {
            results[mode] = peers.map { _ in [] }
            for peer in peers { _ = try await exchange(peer, bytes, mode, seconds: seconds / 2, server) }
        }
        for round in 0..<rounds {
            for mode in LoadMode.allCases {
                for step in peers.indices {
                    let index = (round + step) % peers.count
                    let figures = try await exchange(peers[index], bytes, mode, seconds: seconds, server)
                    results[mode]?[index].append(figures)
                }
            }
        }
        return LoadMode.allCases.flatMap { mode in
            let all = results[mode] ?? []
            return peers.indices.map { index in
                PeerFigures(
                    bytes: bytes, mode: mode, peer: peers[index].name, rounds: all[index], line: all[0])
            }
        }
    }

    private func exchange(
        _ peer: any EchoPeer, _ bytes: Int, _ mode: LoadMode, seconds: Double, _ server: ServerProcess
    ) async throws -> RoundFigures {
        let cpu = try server.processorTime() + ProcessorTime.now()
        let begun = MonotonicClock.now()
        let latencies = try await peer.exchange(
            bytes: bytes, window: mode == .hot ? 1 : window, nanoseconds: UInt64(seconds * 1e9))
        let wall = MonotonicClock.now() - begun
        let used = ProcessorTime.now() + (try server.processorTime()) - cpu
        return RoundFigures(latencies: latencies, wall: wall, cpu: used)
    }
}
