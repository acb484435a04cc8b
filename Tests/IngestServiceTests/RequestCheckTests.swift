import Testing
import Wire

@testable import IngestService

@Suite struct RequestCheckTests {
    @Test func whatIsWithinTheBoundsPasses() {
        var submit = Self.submit()
        submit.body.stops = Array(repeating: String(repeating: "s", count: 1024), count: 16)
        submit.label = "label-1"
        #expect(RequestCheck.problem(submit) == nil)
    }

    @Test func stopStringsAreBounded() {
        for stop in ["", String(repeating: "s", count: 1025), String(repeating: "s", count: 8 << 20)] {
            var submit = Self.submit()
            submit.body.stops = ["fine", stop]
            #expect(RequestCheck.problem(submit)?.contains("stop string") == true)
        }
    }

    @Test func labelsAndKeysArePrintable() {
        for text in ["a\nb", "é", "\u{7f}"] {
            var submit = Self.submit()
            submit.label = text
            #expect(RequestCheck.problem(submit) != nil)
            submit = Self.submit()
            submit.idempotencyKey = text
            #expect(RequestCheck.problem(submit) != nil)
        }
    }

    @Test(arguments: [Float.nan, .infinity]) func aLogitBiasIsANumber(bias: Float) {
        var submit = Self.submit()
        submit.body.options.logitBias = [LogitBias(token: 1, bias: bias)]
        #expect(RequestCheck.problem(submit) != nil)
    }

    @Test func messagesAreCountedHoweverTheyAreWritten() {
        var submit = Self.submit()
        submit.body.form = .messages
        let message = #"{"role":"user","content":"a } \" { [ b","more":[{},{"x":{}}]}"#
        for (count, isFine) in [(2048, true), (2049, false)] {
            submit.body.strings = ["[" + Array(repeating: message, count: count).joined(separator: ",") + "]"]
            #expect((RequestCheck.problem(submit) == nil) == isFine, "\(count)")
        }
        submit.body.strings = ["[" + String(repeating: "{},", count: 700_000) + "{}]"]
        #expect(RequestCheck.problem(submit)?.contains("2048") == true)
    }

    /// Texts without a byte in them take memory, too.
    @Test func whatIsHeldIsCounted() {
        var body = Self.submit().body
        body.form = .chat
        body.strings = Array(repeating: "", count: 4096)
        #expect(IngestRequest.held(body, label: "") > 4096 * 16)
        body.stops = Array(repeating: String(repeating: "s", count: 1024), count: 16)
        #expect(IngestRequest.held(body, label: "") > 4096 * 16 + 16 * 1024)
    }

    private static func submit() -> Submit {
        Submit(
            handle: 1,
            body: RequestBody(
                form: .text, sampling: SamplingParameters(), limits: GenerationLimits(maximumTokens: 4), model: "m",
                strings: ["hi"]))
    }
}
