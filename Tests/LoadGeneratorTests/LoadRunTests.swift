import Synchronization
import Testing
import Transport
import Wire

@testable import LoadGenerator

struct LoadRunTests {
    @Test func closedLoopKeepsItsStreams() async {
        let door = FakeDoor()
        let report = await run(.init(arrival: .closed(streams: 3), requests: 20), door)
        #expect(report.sent == 20 && report.completed == 20 && report.isFlawless)
        #expect(door.indices.sorted() == Array(0..<20))
        #expect(door.most <= 3)
        #expect(report.tokens == 20 * 4)
    }

    @Test func openLoopSendsAsPlannedWhateverTheAnswersDo() async {
        let door = FakeDoor()
        let report = await run(.init(arrival: .open(rate: 2000), requests: 50), door)
        #expect(report.sent == 50 && report.completed == 50)
        #expect(report.sendLag.count == 50)
        #expect(report.latency.count == 50)
    }

    @Test func failuresAndShortAnswersAreFlaws() async {
        let failing = await run(
            .init(arrival: .closed(streams: 1), requests: 4), FakeDoor { $0.error = "HTTP 429: busy" })
        #expect(failing.failed == 4 && failing.missing == 4 && !failing.isFlawless)
        #expect(failing.errors == ["HTTP 429: busy": 4])
        #expect(failing.claims.allSatisfy { $0.tokens == nil })
        let settings = LoadSettings(
            arrival: .closed(streams: 1), requests: 2, maximumTokens: 9, ignoresEndOfSequence: true)
        let short = await run(settings, FakeDoor())
        #expect(short.completed == 2 && short.short == 2 && !short.isFlawless)
    }

    /// Latency counts from when a request was due: a door that is late must not look fast.
    @Test func timesCountFromTheIntendedSend() {
        var log = RequestLog()
        var outcome = LoadOutcome(index: 0, id: RequestID(high: 1, low: 1))
        outcome.intendedAt = 1_000_000_000
        outcome.sentAt = 1_500_000_000
        outcome.delivered(at: 1_600_000_000)
        outcome.delivered(at: 1_700_000_000)
        outcome.delivered(at: 1_900_000_000)
        outcome.endedAt = 2_000_000_000
        outcome.tokens = 5
        outcome.finish = "stop"
        log.add(outcome)
        let report = LoadReport(settings: .init(arrival: .open(rate: 1)), model: "m", log: log, startedAt: 0)
        #expect(isNear(report.ttft.percentile(50), 600))
        #expect(isNear(report.latency.percentile(50), 1000))
        #expect(isNear(report.serviceLatency.percentile(50), 500))
        #expect(isNear(report.sendLag.percentile(50), 500))
        #expect(isNear(report.tpot.percentile(50), 75))
        #expect(report.itl.count == 2 && isNear(report.itl.maximum, 200))
    }

    @Test func poissonArrivalsHaveTheirRate() {
        var schedule = ArrivalSchedule(.poisson(rate: 100), seed: 7)
        var last: UInt64 = 0
        var squares = 0.0
        for _ in 0..<20_000 {
            let next = schedule.next() ?? 0
            squares += Double(next - last) * Double(next - last)
            last = next
        }
        // Mean 10 ms; the mean square of an exponential distribution is twice the square of its mean.
        #expect(abs(Double(last) / 20_000 / 1e7 - 1) < 0.03)
        #expect(abs(squares / 20_000 / 2e14 - 1) < 0.06)
        var again = ArrivalSchedule(.poisson(rate: 100), seed: 7)
        var other = ArrivalSchedule(.poisson(rate: 100), seed: 7)
        #expect(again.next() == other.next())
    }

    @Test func promptsRepeatForTheSameSeed() {
        #expect(PromptSource.builtInPrompts.count == 64 && Set(PromptSource.builtInPrompts).count == 64)
        #expect(PromptSource.builtIn.prompt(0) == PromptSource.builtIn.prompt(64))
        let random = PromptSource.random(tokens: 12, seed: 3)
        #expect(random.prompt(5) == PromptSource.random(tokens: 12, seed: 3).prompt(5))
        #expect(random.prompt(5) != random.prompt(6))
        if case .tokens(let tokens) = random.prompt(5) { #expect(tokens.count == 12) } else { Issue.record("no ids") }
    }

    @Test func jsonHasTheNamesOfVLLM() async throws {
        let report = await run(.init(arrival: .closed(streams: 2), requests: 4, wantsHops: true), FakeDoor())
        let text = try ReportJSON(report, ledger: nil).text()
        for key in [
            "request_throughput", "output_throughput", "total_token_throughput", "total_input_tokens", "completed",
            "total_output_tokens", "mean_ttft_ms", "median_ttft_ms", "p99_ttft_ms", "mean_tpot_ms", "p99_itl_ms",
            "mean_e2el_ms", "duration", "model_id",
        ] {
            #expect(text.contains("\"\(key)\""), "\(key)")
        }
        #expect(ReportTable(report, ledger: nil).description.contains("TTFT"))
    }

    private func run(_ settings: LoadSettings, _ door: FakeDoor) async -> LoadReport {
        await LoadRun(settings: settings, prompts: .builtIn, door: door, model: "m").perform()
    }

    private func isNear(_ value: Double?, _ expected: Double) -> Bool {
        value.map { abs($0 / expected - 1) < 0.002 } ?? false
    }
}

struct LedgerCheckTests {
    private let claim = LedgerClaim(id: RequestID(high: 1, low: 2), tokens: 5)
    private let failed = LedgerClaim(id: RequestID(high: 1, low: 3), tokens: nil)

    @Test func settledWithTheSameTokensAgrees() {
        #expect(LedgerCheck.judge(claim, .init(state: "settled", deliveredTokens: 5)) == .agreed)
    }

    @Test func whatIsNotThereYetIsAskedAgain() {
        #expect(LedgerCheck.judge(claim, nil) == nil)
        #expect(LedgerCheck.judge(claim, .init(state: "reserved", deliveredTokens: 0)) == nil)
        #expect(LedgerCheck.judge(failed, .init(state: "reserved", deliveredTokens: 0)) == nil)
    }

    @Test func otherTokensOrAnotherEndIsAFault() {
        for row in [
            LedgerCheck.Row(state: "settled", deliveredTokens: 4), .init(state: "settled", deliveredTokens: nil),
            .init(state: "void", deliveredTokens: 5), .init(state: "expired", deliveredTokens: 5),
        ] {
            guard case .fault = LedgerCheck.judge(claim, row) else {
                Issue.record("\(row)")
                continue
            }
        }
    }

    @Test func aFailedRequestMustOnlyHaveEnded() {
        #expect(LedgerCheck.judge(failed, nil) == .ended)
        #expect(LedgerCheck.judge(failed, .init(state: "void", deliveredTokens: 0)) == .ended)
        #expect(LedgerCheck.judge(failed, .init(state: "settled", deliveredTokens: 2)) == .ended)
    }
}

/// Answers each request with four tokens in two deliveries.
private final class FakeDoor: LoadDoor {
    private let state = Mutex<(indices: [Int], now: Int, most: Int)>(([], 0, 0))
    private let change: @Sendable (inout LoadOutcome) -> Void

    init(_ change: @escaping @Sendable (inout LoadOutcome) -> Void = { _ in }) { self.change = change }

    var indices: [Int] { state.withLock { $0.indices } }
    var most: Int { state.withLock { $0.most } }

    func servedModel() async throws(LoadError) -> String { "m" }
    func close() async {}

    func begin(_ request: LoadRequest, ended: @escaping LoadEnded) {
        Task { ended(await perform(request)) }
    }

    private func perform(_ request: LoadRequest) async -> LoadOutcome {
        state.withLock { state in
            state.indices.append(request.index)
            state.now += 1
            state.most = max(state.most, state.now)
        }
        await Task.yield()
        state.withLock { $0.now -= 1 }
        var outcome = LoadOutcome(request)
        let now = MonotonicClock.now()
        outcome.sentAt = now
        outcome.delivered(at: now + 1000)
        outcome.delivered(at: now + 3000)
        outcome.endedAt = now + 4000
        outcome.tokens = 4
        outcome.promptTokens = 3
        outcome.finish = "stop"
        change(&outcome)
        return outcome
    }
}
