import Foundation
import Testing

@testable import LoadGenerator

struct TraceTests {
    @Test func mooncakesBlocksAreSharedPrefixes() throws {
        let trace = try Trace(
            """
            {"timestamp": 2500, "input_length": 1100, "output_length": 7, "hash_ids": [1, 2, 3]}
            {"timestamp": 500, "input_length": 700, "output_length": 5, "hash_ids": [1, 9]}

            {"timestamp": 4500, "input_length": 600, "output_length": 1}
            """, format: .mooncake, speed: 2)
        #expect(trace.rows.map(\.offset) == [0, 1_000_000_000, 2_000_000_000])
        #expect(trace.rows.map(\.promptTokens) == [700, 1100, 600])
        #expect(trace.rows.map(\.answerTokens) == [5, 7, 1])
        #expect(trace.arrivals == .trace([0, 1_000_000_000, 2_000_000_000]))
        let source = PromptSource.trace(trace, seed: 1)
        let tokens = (0..<3).map { index in
            if case .tokens(let tokens) = source.prompt(index) { tokens } else { [UInt32]() }
        }
        #expect(tokens.map(\.count) == [700, 1100, 600])
        #expect(tokens[0].prefix(512) == tokens[1].prefix(512))
        #expect(tokens[0][512..<700] != tokens[1][512..<700])
        #expect(tokens[2].prefix(100) != tokens[0].prefix(100))
        #expect((0..<3).map { source.answerTokens($0) } == [5, 7, 1])
    }

    /// Recorders write `Date.now()`: 1.7e12 milliseconds.
    @Test func mooncakesTimesMayCountFrom1970() throws {
        let rows = [1_700_000_000_500.25, 1_700_000_000_000, 1_700_000_003_001].map {
            "{\"timestamp\": \($0), \"input_length\": 10, \"output_length\": 5}"
        }
        let trace = try Trace(rows.joined(separator: "\n"), format: .mooncake)
        #expect(trace.rows.map(\.offset) == [0, 500_250_000, 3_001_000_000])
    }

    /// Longer than 64 bits of nanoseconds: refused, not a trap.
    @Test(arguments: [("-900000000000", "900000000000", 1.0), ("0", "900000000", 1e-9)])
    func whatLastsTooLongIsRefused(first: String, last: String, speed: Double) {
        let error = #expect(throws: LoadError.self) {
            try Trace(
                "Timestamp,Request tokens,Response tokens\n\(first),1,1\n\(last),1,1", format: .burstgpt, speed: speed)
        }
        #expect(error?.description.contains("lasts longer") == true)
    }

    @Test func azureTimesCrossDays() throws {
        let trace = try Trace(
            "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2024-02-28 23:59:59.5000000,374,44\r\n"
                + "2024-02-29 00:00:01.2500000,396,109\r\n2024-03-01T00:00:00+00:00,1,2\r\n", format: .azure)
        #expect(trace.rows.map(\.offset) == [0, 1_750_000_000, 86_400_500_000_000])
        #expect(trace.rows[1].promptTokens == 396 && trace.rows[1].answerTokens == 109)
    }

    @Test func burstGPTColumnsAreFoundByName() throws {
        let trace = try Trace(
            """
            Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type
            5,,1.2,ChatGPT,472,18,490,Conversation log
            45,7,0,GPT-4,1087,0,1087,API log
            118.5,7,3,GPT-4,417,276,693,Conversation log
            """, format: .burstgpt)
        #expect(trace.skipped == 1)
        #expect(trace.rows.map(\.offset) == [0, 113_500_000_000])
        #expect(trace.rows.map(\.promptTokens) == [472, 417])
        let old = try Trace("Timestamp,Model,Request tokens,Response tokens\n1,a,2,3", format: .burstgpt)
        #expect(old.rows == [.init(offset: 0, promptTokens: 2, answerTokens: 3, blocks: [])])
    }

    @Test func boundsOfARowAreItsOwn() throws {
        let jsonl = try Trace(
            """
            {"timestamp":0,"input_length":1,"output_length":2,"slo_ttft_ms":200,"slo_tpot_ms":5}
            {"timestamp":1,"input_length":1,"output_length":2}
            """, format: .mooncake)
        #expect(jsonl.objectives == [.init(ttft: 200, tpot: 5), .init()])
        let csv = try Trace(
            "TIMESTAMP,ContextTokens,GeneratedTokens,slo_e2el_ms\n2024-01-01 00:00:00,5,6,\n"
                + "2024-01-01 00:00:01,5,6,900", format: .azure)
        #expect(csv.objectives == [.init(), .init(latency: 900)])
        #expect(try Trace(Self.mooncake, format: .mooncake).objectives.isEmpty)
        var settings = LoadSettings()
        settings.objectives = ServiceObjectives(ttft: 100, latency: 10)
        #expect(settings.objectives(of: 7) == settings.objectives)
        settings.requestObjectives = jsonl.objectives
        #expect(settings.objectives(of: 2) == .init(ttft: 200, tpot: 5, latency: 10))
        #expect(settings.objectives(of: 3) == settings.objectives)
    }

    private static let mooncake = #"{"timestamp":0,"input_length":1,"output_length":1}"#
    private static let azure = "TIMESTAMP,ContextTokens,GeneratedTokens\n"

    @Test(arguments: [
        (Trace.Format.mooncake, mooncake + "\n{\"timestamp\":1}", "line 2"),
        (.mooncake, mooncake + "\n\nnot JSON", "line 3"),
        (.mooncake, #"{"timestamp":0,"input_length":-1,"output_length":1}"#, "line 1"),
        (.mooncake, #"{"timestamp":0,"input_length":1,"output_length":99999999999}"#, "line 1"),
        (.mooncake, #"{"timestamp":0,"input_length":1,"output_length":1,"slo_ttft_ms":0}"#, "line 1 has a bound"),
        (.azure, azure.dropLast() + ",slo_ttft_ms\n2024-01-01 00:00:00,5,6,x", "line 2 has the bound 'x'"),
        (.azure, azure.dropLast() + ",slo_ttft_ms\n2024-01-01 00:00:00,5,6", "line 2 has 3 fields"),
        (.mooncake, "", "no requests"),
        (.azure, "", "empty"),
        (.azure, azure, "no requests"),
        (.azure, "TIMESTAMP,ContextTokens\n", "GeneratedTokens"),
        (.azure, azure + "2024-01-01 00:00:00,5", "line 2 has 2 fields"),
        (.azure, azure + "2024-01-01,5,6", "line 2 has the time"),
        (.azure, azure + "2024-13-01 00:00:00,5,6", "line 2 has the time"),
        (.azure, azure + "2024-01-01 00:00:00,5,6\n2024-01-01 00:00:00,x,6", "line 3 has no token counts"),
        (.azure, azure + "2024-01-01 00:00:00,5.5,6", "line 2 has no token counts"),
        (.burstgpt, "Timestamp,Request tokens,Response tokens\nnever,1,2", "line 2 has the time 'never'"),
        (.burstgpt, "Timestamp,Request tokens,Response tokens\nnan,1,2", "line 2"),
    ])
    func aBadLineIsNamed(format: Trace.Format, text: String, reason: String) {
        do {
            _ = try Trace(text, format: format)
            Issue.record("was read")
        } catch {
            #expect("\(error)".contains(reason), "\(error)")
        }
    }

    @Test func theSamplesAreWhatTheySay() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Tools/LoadGenerator/Samples").standardizedFileURL.path
        let mooncake = try Trace(path: folder + "/mooncake.jsonl", format: .mooncake)
        #expect(mooncake.rows.count == 41 && mooncake.rows.allSatisfy { $0.blocks.prefix(2) == [0, 1] })
        #expect(mooncake.rows.allSatisfy { $0.blocks.count == ($0.promptTokens + 511) / 512 })
        #expect(try Trace(path: folder + "/azure.csv", format: .azure).rows.count == 36)
        let burst = try Trace(path: folder + "/burstgpt.csv", format: .burstgpt)
        #expect(burst.rows.count == 34 && burst.skipped == 2)
        #expect(throws: LoadError.self) { try Trace(path: folder + "/none", format: .azure) }
    }
}
