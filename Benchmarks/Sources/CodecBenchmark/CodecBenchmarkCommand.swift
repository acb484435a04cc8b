import ArgumentParser
import BenchmarkSupport
import Wire

@main
struct CodecBenchmarkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "codec-bench",
        abstract: "Encodes and decodes the line's frames with Wire, swift-protobuf and Foundation's JSON, in turns.")

    @Option(help: "Rounds; each times every codec once.")
    var rounds = 21

    @Option(help: "Milliseconds of one timing.")
    var milliseconds = 5.0

    @Option(help: "Write the figures to this file as JSON.")
    var json: String?

    func validate() throws {
        guard rounds > 0, milliseconds > 0 else { throw ValidationError("rounds and milliseconds must be above 0") }
    }

    func run() throws {
        let machine = Machine.current()
        print(machine.text)
        try AllocationCheck.proveThatItCounts()
        let measurement = CodecMeasurement(rounds: rounds, span: milliseconds * 1e6)
        var figures: [CodecFigures] = []
        var sizes: [String: Int] = [:]
        for comparison in try Self.comparisons() {
            figures += try measurement.run(comparison)
            sizes[comparison.message] = comparison.messagePackBytes
        }
        let report = CodecReport(
            machine: machine, rounds: rounds, figures: figures, messagePackBytes: sizes,
            digest: digest(measurement))
        print(report.text)
        if let json { try writeJSON(report, to: json) }
    }

    /// Nanoseconds of `TokenDigest.of` over the tokens of `Generate`: not part of the codec, but of each request.
    private func digest(_ measurement: CodecMeasurement) -> Spread {
        var tokens = Samples.tokens(Samples.tokenCount)
        func body(_ times: Int) {
            // Each digest goes into the next one's tokens, so that none can be left out.
            for _ in 0..<times { tokens[0] = UInt32(truncatingIfNeeded: TokenDigest.of(tokens)) }
        }
        let times = measurement.times(body)
        return Spread((0..<rounds).map { _ in measurement.time(times, body) })
    }

    private static func comparisons() throws -> [Comparison] {
        let generate = Samples.generate()
        let tokenBatch = Samples.tokenBatch()
        let textBatch = Samples.textBatch()
        let recordBatch = Samples.recordBatch()
        return [
            Comparison(
                message: "generate, \(Samples.tokenCount) tokens",
                cases: [
                    try WireGenerateCase(generate),
                    try ProtobufCase(ProtobufMessages.varint(generate), codec: "swift-protobuf, uint32"),
                    try ProtobufCase(ProtobufMessages.fixed(generate), codec: "swift-protobuf, fixed32"),
                    try JSONCase(JSONGenerate(generate)),
                ], messagePackBytes: MessagePackSize.of(generate)),
            Comparison(
                message: "tokenBatch, \(Samples.rowCount) rows",
                cases: [
                    WireTokenBatchCase(tokenBatch), try ProtobufCase(ProtobufMessages.tokenBatch(tokenBatch)),
                    try JSONCase(JSONTokenBatch(tokenBatch)),
                ], messagePackBytes: MessagePackSize.of(tokenBatch)),
            Comparison(
                message: "textBatch, \(Samples.rowCount) rows",
                cases: [
                    WireTextBatchCase(textBatch), try ProtobufCase(ProtobufMessages.textBatch(textBatch)),
                    try JSONCase(JSONTextBatch(textBatch)),
                ], messagePackBytes: MessagePackSize.of(textBatch)),
            Comparison(
                message: "record, \(Samples.eventCount) events",
                cases: [
                    WireRecordBatchCase(recordBatch), try ProtobufCase(ProtobufMessages.recordBatch(recordBatch)),
                    try JSONCase(JSONRecordBatch(recordBatch)),
                ], messagePackBytes: MessagePackSize.of(recordBatch)),
        ]
    }
}
