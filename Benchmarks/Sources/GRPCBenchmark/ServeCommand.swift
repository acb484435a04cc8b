import ArgumentParser
import BenchmarkSupport
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Station
import Transport

/// The other process: serves gRPC, dials the line if it is told to, and answers each line of its input with the
/// processor time that it has used; the end of its input ends it.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "serve", shouldDisplay: false)

    @Option var line: String?
    @Option var socket: String?

    func run() async throws {
        let below = try line.map { try LineServer(StationParts(name: "echo"), dial: Endpoint($0)) }
        defer { withExtendedLifetime(below) {} }
        await below?.start()
        let address: SocketAddress =
            if let socket { .unixDomainSocket(path: socket) } else { .ipv4(host: "127.0.0.1", port: 0) }
        let server = GRPCServer(
            transport: .http2NIOPosix(address: address, transportSecurity: .plaintext), services: [EchoHandler()])
        async let serving: Void = server.serve()
        guard let bound = try await server.listeningAddress else { throw PeerError.server("is bound to no address") }
        Self.say("\(bound.ipv4?.port ?? 0)")
        // A thread of its own: one that waits for input must not be one of the pool's.
        Thread.detachNewThread {
            while readLine() != nil { Self.say("\(ProcessorTime.now())") }
            Foundation.exit(0)
        }
        try await serving
    }

    private static func say(_ text: String) {
        FileHandle.standardOutput.write(Data("\(text)\n".utf8))
    }
}
