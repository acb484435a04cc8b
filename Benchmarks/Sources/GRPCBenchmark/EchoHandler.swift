import EchoService
import GRPCCore

/// Gives back what it gets.
struct EchoHandler: Tokenfactory_Benchmarks_Echo.SimpleServiceProtocol {
    func unary(
        request: Tokenfactory_Benchmarks_Payload, context: ServerContext
    ) async throws -> Tokenfactory_Benchmarks_Payload {
        request
    }

    func stream(
        request: RPCAsyncSequence<Tokenfactory_Benchmarks_Payload, any Error>,
        response: RPCWriter<Tokenfactory_Benchmarks_Payload>, context: ServerContext
    ) async throws {
        for try await message in request { try await response.write(message) }
    }
}
