import EchoService
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import SwiftProtobuf
import Transport

/// One call for each body: as many tasks as there may be requests, all on one connection.
struct UnaryPeer: EchoPeer {
    let name = "gRPC unary"
    let client: Tokenfactory_Benchmarks_Echo.Client<HTTP2ClientTransport.Posix>
    /// From an answer to the next request.
    var pause = Duration.zero

    func exchange(bytes: Int, window: Int, nanoseconds: UInt64) async throws -> [UInt64] {
        let end = MonotonicClock.now() + nanoseconds
        let payload = Tokenfactory_Benchmarks_Payload.with {
            $0.body = Data(repeating: 0x5a, count: bytes)
        }
        return try await withThrowingTaskGroup(of: [UInt64].self) { group in
            for _ in 0..<window {
                group.addTask {
                    var latencies: [UInt64] = []
                    var begun = MonotonicClock.now()
                    while begun < end {
                        let answer = try await client.unary(payload)
                        let now = MonotonicClock.now()
                        guard answer.body == payload.body else { throw PeerError.answerDiffers(name) }
                        latencies.append(now - begun)
                        if pause > .zero { try await Task.sleep(for: pause) }
                        begun = MonotonicClock.now()
                    }
                    return latencies
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }
}
