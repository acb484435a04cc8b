import ArgumentParser
import BenchmarkSupport
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Station
import Transport

/// The other process: serves gRPC, dials the line, and answers each line of its input with the processor time that it
/// has used; the end of its input ends it.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "serve", shouldDisplay: false)

    @Argument var line: String

    func run() async throws {
        let station = try StationParts(name: "echo")
        let below = LineServer(station, dial: try Endpoint(line))
        await below.start()
        let server = GRPCServer(
            transport: .http2NIOPosix(
                address: .ipv4(host: "127.0.0.1", port: 0), transportSecurity: .plaintext),
            services: [EchoHandler()])
        async let serving: Void = server.serve()
        guard let port = try await server.listeningAddress?.ipv4?.port else {
            throw PeerError.server("is bound to no IPv4 address")
        }
        Self.say("\(port)")
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
