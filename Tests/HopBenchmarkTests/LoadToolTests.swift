import Foundation
import Testing

@testable import HopBenchmark

@Suite struct LoadToolTests {
    @Test func wrksTokensAreThoseOfItsScript() {
        let output = "Running 3s test\n  2 threads\nhopbench 1280 2 1 2000000\n"
        #expect(LoadTool.result(wrk: output) == LoadResult(tokens: 1280, tokensPerSecond: 640, failures: 3))
        #expect(LoadTool.result(wrk: "hopbench 1280 2 1 0\n") == nil)
        #expect(LoadTool.result(wrk: "Requests/sec: 12\n") == nil)
    }

    @Test func loadgensFiguresHaveVLLMsNames() throws {
        let json = "{\"total_output_tokens\":640,\"output_throughput\":320.5,\"failed\":1,\"completed\":5}"
        let result = try LoadTool.result(loadgen: Data(json.utf8))
        #expect(result == LoadResult(tokens: 640, tokensPerSecond: 320.5, failures: 1))
        #expect(throws: BenchError.self) { try LoadTool.result(loadgen: Data("{}".utf8)) }
    }

    @Test func theBodyIsARequestOfAsManyTokens() throws {
        struct Body: Decodable {
            var model: String
            var prompt: [Int]
            var maxTokens: Int
            var stream: Bool
        }
        let text = HTTPProbe.body(model: "m", promptTokens: 32, maximumTokens: 128)
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let body = try decoder.decode(Body.self, from: Data(text.utf8))
        #expect(body.model == "m" && body.prompt.count == 32 && body.maxTokens == 128 && body.stream)
        #expect(LoadTool.script(text).contains(text))
    }

    @Test func aGuardFailsBeyondALimitAndForWhatIsMissing() {
        let baseline = GuardBaseline(measured: ["a": 1, "b": 2], room: 1.5)
        #expect(baseline.judge(["a": 1.4, "b": 3]).isWithin)
        #expect(!baseline.judge(["a": 1.6, "b": 2]).isWithin)
        #expect(!baseline.judge(["a": 1]).isWithin)
        #expect(!GuardBaseline(measured: [:], room: 1.5).judge(["a": 1]).isWithin)
        #expect(baseline.judge(["a": 1.6]).text.contains("BEYOND"))
    }
}
