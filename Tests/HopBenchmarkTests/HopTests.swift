import CFloor
import Testing
import Transport
import Wire

@testable import HopBenchmark

@Suite struct HopTests {
    @Test(arguments: [64, 1024, 16_384, 262_144])
    func framesHoldTheirBodies(bytes: Int) throws {
        let sizes = try HopFrames.sizes(bodyBytes: bytes)
        #expect(sizes.down > bytes && sizes.down < bytes + 200)
        #expect(sizes.up > bytes && sizes.up < bytes + 300)
    }

    @Test(arguments: [1, 16, 16_384, 16_385, 65_536])
    func rowsAddUpAndOnlyTheLastEnds(tokens: Int) {
        var rows: [TokenRow] = []
        HopFrames.fill(&rows, handle: 7, tokens: tokens)
        #expect(rows.reduce(0) { $0 + Int($1.tokenCount) } == tokens)
        #expect(rows.dropLast().allSatisfy { $0.finish == .none })
        #expect(rows.last?.finish == .length)
        #expect(rows.allSatisfy { $0.handle == 7 })
    }

    @Test func bothExchangesRunTheirRounds() async throws {
        let context = try Context()
        let pair = try await HopPair.open(HopLink(.inproc), folder: "", context: context)
        for window in [1, 8] {
            var round = ExchangeRound(.hot, bodyBytes: 256, effort: 1)
            (round.warmup, round.count, round.window) = (3, 50, window)
            let sizes = try HopFrames.sizes(bodyBytes: 256)
            let hop = try await pair.runHop(round)
            let floor = try pair.runFloor(round, down: sizes.down, up: sizes.up)
            for result in [hop, floor] {
                #expect(result.samples.count == 50)
                #expect(result.samples.allSatisfy { $0 > 0 && $0 <= result.elapsed }, "\(result)")
                #expect(result.processor > 0, "\(result)")
            }
        }
        await pair.close()
    }

    @Test func aPauseStandsBeforeEachRequest() async throws {
        let pair = try await HopPair.open(HopLink(.inproc), folder: "", context: Context())
        var round = ExchangeRound(.idle, bodyBytes: 64, effort: 1)
        (round.warmup, round.count) = (1, 5)
        let result = try await pair.runHop(round)
        #expect(result.samples.count == 5)
        // Four pauses stand between five requests.
        #expect(result.elapsed >= 4 * UInt64(round.pauseMicroseconds) * 1000)
        await pair.close()
    }

    @Test func roundsSuitTheirModes() {
        let idle = ExchangeRound(.idle, bodyBytes: 64, effort: 1)
        #expect(idle.window == 1 && idle.pauseMicroseconds > 0)
        let hot = ExchangeRound(.hot, bodyBytes: 64, effort: 1)
        #expect(hot.window == 1 && hot.pauseMicroseconds == 0 && hot.warmup > 0)
        let saturated = ExchangeRound(.saturated, bodyBytes: 64, effort: 1)
        #expect(saturated.window > 1)
        #expect(ExchangeRound(.hot, bodyBytes: 262_144, effort: 1).count < hot.count)
        #expect(ExchangeRound(.hot, bodyBytes: 64, effort: 2).count == 2 * hot.count)
    }

    @Test func answersOfTheWrongLengthAreRefused() throws {
        let caller = try FloorCaller.bound(to: "inproc://short")
        try caller.startEcho()
        try caller.awaitEcho()
        var round = ExchangeRound(.hot, bodyBytes: 64, effort: 1)
        (round.warmup, round.count) = (0, 1)
        #expect(throws: BenchError.self) { try caller.run(round, down: 4, up: 8) }
        #expect(try caller.run(round, down: 8, up: 100).samples.count == 1)
    }
}
