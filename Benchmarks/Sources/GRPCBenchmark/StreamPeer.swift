import EchoService
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import SwiftProtobuf
import Synchronization
import Transport

/// Bidirectional streams on one connection, each with several bodies on their way. Whoever reads an answer writes the
/// next body itself, so that no task has to be woken for it.
struct StreamPeer: EchoPeer {
    typealias Payload = Tokenfactory_Benchmarks_Payload

    let name = "gRPC stream"
    let client: Tokenfactory_Benchmarks_Echo.Client<HTTP2ClientTransport.Posix>
    /// The most bodies that one stream has on its way.
    let windowOfStream: Int
    /// From an answer to the next request.
    var pause = Duration.zero

    func exchange(bytes: Int, window: Int, nanoseconds: UInt64) async throws -> [UInt64] {
        let end = MonotonicClock.now() + nanoseconds
        let payload = Payload.with { $0.body = Data(repeating: 0x5a, count: bytes) }
        return try await withThrowingTaskGroup(of: [UInt64].self) { group in
            for first in stride(from: 0, to: window, by: windowOfStream) {
                group.addTask {
                    try await stream(payload, window: min(windowOfStream, window - first), until: end)
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    /// When the bodies that are on their way were written; answers come in that order.
    private final class Begins: Sendable {
        private let times = Mutex<(all: [UInt64], taken: Int)>(([], 0))
        func add(_ time: UInt64) { times.withLock { $0.all.append(time) } }
        func take() -> UInt64 {
            times.withLock { times in
                times.taken += 1
                return times.all[times.taken - 1]
            }
        }
    }

    private func stream(_ payload: Payload, window: Int, until end: UInt64) async throws -> [UInt64] {
        let begins = Begins()
        let (writers, writerFound) = AsyncStream<RPCWriter<Payload>>.makeStream()
        let (over, isOver) = AsyncStream<Void>.makeStream()
        return try await client.stream { writer in
            writerFound.yield(writer)
            for _ in 0..<window {
                begins.add(MonotonicClock.now())
                try await writer.write(payload)
            }
            for await _ in over {}
        } onResponse: { response in
            defer { isOver.finish() }
            var iterator = writers.makeAsyncIterator()
            guard let writer = await iterator.next() else { throw PeerError.server("no stream") }
            var latencies: [UInt64] = []
            var outstanding = window
            for try await answer in response.messages {
                let now = MonotonicClock.now()
                guard answer.body == payload.body else { throw PeerError.answerDiffers(name) }
                latencies.append(now - begins.take())
                if pause > .zero { try await Task.sleep(for: pause) }
                if now < end {
                    begins.add(MonotonicClock.now())
                    try await writer.write(payload)
                } else {
                    outstanding -= 1
                    if outstanding == 0 { isOver.finish() }
                }
            }
            return latencies
        }
    }
}
