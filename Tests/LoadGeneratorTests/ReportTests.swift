import Foundation
import Testing
import Wire

@testable import LoadGenerator

struct ReportTests {
    /// Times in milliseconds.
    private func outcome(
        _ index: Int, begin: UInt64, first: UInt64? = nil, end: UInt64, tokens: Int = 11,
        change: (inout LoadOutcome) -> Void = { _ in }
    ) -> LoadOutcome {
        var outcome = LoadOutcome(index: index, id: RequestID(high: 1, low: UInt64(index)))
        outcome.intendedAt = begin * 1_000_000
        outcome.sentAt = outcome.intendedAt
        if let first {
            outcome.delivered(at: first * 1_000_000)
            if tokens > 1 { outcome.delivered(at: end * 1_000_000) }
        }
        outcome.endedAt = end * 1_000_000
        outcome.tokens = tokens
        outcome.maximumTokens = tokens
        outcome.promptTokens = 3
        outcome.finish = "stop"
        change(&outcome)
        return outcome
    }

    private func report(_ outcomes: [LoadOutcome], _ settings: LoadSettings, from: UInt64 = 0, to: UInt64? = nil)
        -> LoadReport
    {
        var log = RequestLog()
        for outcome in outcomes { log.add(outcome, keepsText: settings.keepsText) }
        return LoadReport(
            settings: settings, model: "m", log: log, startedAt: 0, steadyFrom: from * 1_000_000,
            steadyTo: to.map { $0 * 1_000_000 })
    }

    @Test func objectivesAreReadAsVLLMWritesThem() throws {
        #expect(try ServiceObjectives(["ttft:200", "tpot:50"]) == .init(ttft: 200, tpot: 50))
        #expect(try ServiceObjectives(["e2el:0.5"]) == .init(latency: 0.5))
        #expect(try ServiceObjectives(["mlperf:llama2-70b-interactive"]) == .init(ttft: 450, tpot: 40))
        #expect(
            try ServiceObjectives(["mlperf:deepseek-r1-server", "e2el:9"]) == .init(ttft: 2000, tpot: 80, latency: 9))
        #expect(ServiceObjectives.mlperf.count == 10)
        for words in [["ttft"], ["ttft:"], ["ttft:-1"], ["ttft:x"], ["itl:5"], ["mlperf:gpt2"]] {
            #expect(throws: LoadError.self) { try ServiceObjectives(words) }
        }
        #expect(try ServiceObjectives([]).isEmpty)
        #expect(ServiceObjectives(ttft: 200, latency: 0.5).description == "ttft:200 e2el:0.5")
    }

    @Test func goodputCountsWhatMeetsAllObjectives() {
        var settings = LoadSettings(arrival: .open(rate: 1))
        settings.objectives = ServiceObjectives(ttft: 100, tpot: 10)
        let report = report(
            [
                outcome(0, begin: 0, first: 100, end: 200),
                // TTFT too long, TPOT too long.
                outcome(1, begin: 0, first: 101, end: 200), outcome(2, begin: 0, first: 50, end: 160),
                // One token has no time per further token.
                outcome(3, begin: 0, first: 100, end: 900, tokens: 1),
                outcome(4, begin: 0, end: 100) { $0.error = "no" },
                outcome(5, begin: 0, end: 100) { $0.isBusy = true },
                outcome(6, begin: 0, first: 20, end: 1000) { $0.isCancelled = true },
            ], settings)
        #expect(report.completed == 4 && report.failed == 1 && report.refused == 1 && report.cancelled == 1)
        #expect(report.missing == 2 && !report.isFlawless)
        #expect(report.windowGood == 2 && report.judged == 6)
        #expect(report.goodput == 2 && report.goodShare == 2.0 / 6)
        #expect(report.claims.map(\.tokens) == [11, 11, 11, 1, nil, nil, nil])
    }

    @Test func aRequestIsHeldToItsOwnBounds() {
        var settings = LoadSettings(arrival: .open(.trace([0, 0])))
        settings.requestObjectives = [ServiceObjectives(ttft: 60), ServiceObjectives(ttft: 40)]
        let both = report(
            [outcome(1, begin: 0, first: 50, end: 100), outcome(0, begin: 0, first: 50, end: 100)], settings)
        #expect(both.windowGood == 1 && both.goodShare == 0.5)
        #expect(ReportTable(both, ledger: nil).description.contains("the trace's own"))
    }

    @Test func theSteadyWindowLeavesTheEdgesOut() {
        var settings = LoadSettings(arrival: .closed(streams: 2))
        settings.warmup = 1
        let report = report(
            [
                outcome(0, begin: 0, first: 500, end: 1500), outcome(1, begin: 1500, first: 1700, end: 2500),
                outcome(2, begin: 2500, first: 2600, end: 3500),
                // Begins when a stream has ended already.
                outcome(3, begin: 3500, first: 3900, end: 4500),
            ], settings, from: 20, to: 3000)
        #expect(report.windowSeconds == 2)
        #expect(report.begun == 2 && report.latency.count == 2 && report.ttft.count == 2)
        #expect(report.windowCompleted == 2 && report.requestThroughput == 1 && report.outputThroughput == 11)
        #expect(report.completed == 4 && report.tokens == 44)
        #expect(ReportTable(report, ledger: nil).description.contains("window"))
        // A warm-up that is longer than the run leaves nothing, and divides by nothing.
        settings.warmup = 60
        let empty = self.report([outcome(0, begin: 0, first: 1, end: 2)], settings)
        #expect(empty.requestThroughput == 0 && empty.latency.isEmpty && empty.goodShare == nil)
        #expect(ReportTable(empty, ledger: nil).description.contains("empty"))
    }

    @Test func aLateGeneratorSaysSo() {
        let late = (0..<10).map { index in
            outcome(index, begin: 0, first: 100, end: 200) { $0.sentAt = 50_000_000 }
        }
        #expect(report(late, .init(arrival: .open(rate: 1))).generatorLimit?.contains("send lag") == true)
        #expect(
            report(late.map { outcome($0.index, begin: 0, first: 9, end: 10) }, .init(arrival: .open(rate: 1)))
                .generatorLimit == nil)
        var log = RequestLog()
        log.add(late[0])
        let busy = LoadReport(settings: .init(), model: "m", log: log, startedAt: 0, processSeconds: 0.19)
        #expect(busy.generatorLimit?.contains("cores") == true)
    }

    @Test func jsonHasTheKeysAndListsOfVLLM() throws {
        var settings = LoadSettings(arrival: .open(.gamma(rate: 4, burstiness: 0.5)))
        settings.objectives = ServiceObjectives(ttft: 100)
        let report = report(
            [outcome(1, begin: 10, first: 20, end: 30), outcome(0, begin: 0, first: 150, end: 200)], settings)
        let data = Data(try ReportJSON(report, ledger: nil, isDetailed: true).text().utf8)
        let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        for key in ["request_goodput", "request_throughput", "output_throughput", "mean_ttft_ms", "p99.9_e2el_ms"] {
            #expect(object[key] is Double, "\(key)")
        }
        #expect(object["burstiness"] as? Double == 0.5 && object["request_rate"] as? Double == 4)
        #expect(object["goodput_share"] as? Double == 0.5)
        #expect(object["max_concurrent_requests"] as? Int == 2)
        #expect(object["max_output_tokens_per_s"] as? Double == 22)
        #expect(object["ttfts"] as? [Double] == [0.15, 0.01])
        #expect(object["start_times"] as? [Double] == [0, 0.01])
        #expect((object["itls"] as? [[Double]])?.map(\.count) == [1, 1])
        #expect(object["output_lens"] as? [Int] == [11, 11])
        #expect(object["tput_per_gpu"] == nil && object["conc"] == nil)
    }

    @Test func jsonHasWhatInferenceXMakesOfVLLMsKeys() throws {
        var settings = LoadSettings(arrival: .closed(streams: 3))
        settings.accelerators = 2
        let report = report([outcome(0, begin: 0, first: 100, end: 200)], settings)
        let object = ReportJSON(report, ledger: nil).object
        #expect(object["conc"] as? Int == 3)
        // 11 tokens out and 3 in, in 0.2 s, of two accelerators.
        #expect(object["output_tput_per_gpu"] as? Double == 27.5 && object["input_tput_per_gpu"] as? Double == 7.5)
        #expect(object["tput_per_gpu"] as? Double == 35)
        for key in ["mean_intvty", "median_intvty", "p99_intvty", "p99.9_intvty"] {
            let value = try #require(object[key] as? Double, "\(key)")
            #expect(abs(value - 100) < 0.1, "\(key)")
        }
        let single = ReportJSON(self.report([outcome(0, begin: 0, first: 9, end: 9, tokens: 1)], settings), ledger: nil)
        #expect(single.object["mean_intvty"] is NSNull)
    }

    @Test func roundsAreMedianAndSpread() throws {
        #expect(RoundsReport.spread([3, 1, 2]).map { [$0.median, $0.least, $0.most] } == [2, 1, 3])
        #expect(RoundsReport.spread([4, 1]).map { [$0.median, $0.least, $0.most] } == [2.5, 1, 4])
        #expect(RoundsReport.spread([]) == nil)
        let rounds = RoundsReport(
            [100, 200, 400].map { report([outcome(0, begin: 0, first: 50, end: $0)], .init()) })
        #expect(rounds.isFlawless && rounds.claims.count == 3)
        let object = rounds.object(nil)
        #expect(object["request_throughput"] as? Double == 5)
        let spread = try #require((object["spread"] as? [String: Any])?["request_throughput"] as? [String: Double])
        #expect(spread == ["least": 2.5, "most": 10])
        #expect((object["rounds"] as? [Any])?.count == 3 && rounds.table.contains("latency p99"))
        #expect(try rounds.json(ledger: nil).contains("\"spread\""))
        // A round without a figure is not in its median, and the first does not pass for it.
        let some = RoundsReport(
            [(100, 1), (200, 2), (400, 2)].map { end, tokens in
                report([outcome(0, begin: 0, first: 50, end: end, tokens: tokens)], .init())
            })
        #expect(abs((some.object(nil)["mean_tpot_ms"] as? Double ?? 0) - 250) < 1)
    }

    @Test func aTimelineSpreadsTokensOverTheirTime() {
        var log = RequestLog()
        log.add(outcome(0, begin: 0, first: 1000, end: 3000, tokens: 20))
        log.add(outcome(1, begin: 2000, first: 3500, end: 4000, tokens: 6))
        let bins = Timeline(log.records, from: 0, to: 4_000_000_000, count: 4).bins
        #expect(bins.map(\.tokens) == [0, 10, 10, 6])
        #expect(bins.map(\.underWay) == [1, 1, 2, 1])
        #expect(bins.map(\.completed) == [0, 0, 0, 2])
        #expect(bins.map(\.time) == [0.5, 1.5, 2.5, 3.5])
        #expect(Timeline([], from: 5, to: 5).bins.isEmpty)
        #expect(Timeline.mostUnderWay(log.records) == 2)
        let report = report([outcome(0, begin: 0, first: 1000, end: 3000)], .init())
        #expect(LoadPage(report, ledger: nil, command: "loadgen").html().contains("By percentile"))
    }

    @Test func usageIsComparedWithWhatCame() {
        func read(_ events: [String]) -> LoadOutcome {
            var reading = HTTPDoor.Reading(
                outcome: LoadOutcome(index: 0, id: RequestID(high: 1, low: 1)), keepsText: false)
            for (index, event) in events.enumerated() { reading.take(Array(event.utf8)[...], at: UInt64(index + 1)) }
            reading.finish()
            return reading.outcome
        }
        let text = #"{"choices":[{"index":0,"delta":{"content":"a b"},"finish_reason":null}]}"#
        let end = #"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#
        func usage(_ count: Int) -> String {
            #"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":\#(count)}}"#
        }
        let agreed = read([text, text, end, usage(5), "[DONE]"])
        #expect(agreed.tokens == 5 && agreed.hasUsage && agreed.mismatch == nil && agreed.fate == .complete)
        #expect(agreed.endedAt == 5 && agreed.firstAt == 1 && agreed.lastAt == 2)
        #expect(read([text, text, end, usage(1), "[DONE]"]).mismatch?.contains("2 events") == true)
        let uncounted = read([text, text, text, end, "[DONE]"])
        #expect(uncounted.tokens == 3 && !uncounted.hasUsage && uncounted.mismatch == nil)
        let thinking = read([#"{"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}"#, end, "[DONE]"])
        #expect(thinking.tokens == 1 && thinking.firstAt == 1)
    }
}
