import Formats
import Foundation

/// A recorded sequence of requests: when each came, and how long its prompt and its answer were.
public struct Trace: Equatable, Sendable {
    /// Public formats of traces.
    public enum Format: Sendable, CaseIterable {
        /// JSONL of `timestamp` (ms, from the trace's begin or from 1970), `input_length`, `output_length`, `hash_ids` (each a block of 512 prompt tokens;
        /// equal ids are equal blocks): kvcache-ai/Mooncake, FAST25-release.
        case mooncake
        /// CSV of `TIMESTAMP` (date and time), `ContextTokens`, `GeneratedTokens`: Azure/AzurePublicDataset.
        case azure
        /// CSV with `Timestamp` (s), `Request tokens`, `Response tokens` among its columns: HPMLL/BurstGPT.
        case burstgpt
    }

    public struct Row: Equatable, Sendable {
        /// Nanoseconds after the first row.
        public var offset: UInt64
        public var promptTokens: Int
        public var answerTokens: Int
        /// Blocks of the prompt, from its beginning.
        public var blocks: [UInt64]
        /// What its answer must meet, if the trace says so.
        public var objectives = ServiceObjectives()
    }

    /// Tokens of a Mooncake block.
    static let blockTokens = 512

    /// In the order of their times.
    public let rows: [Row]
    /// Rows without an answer (BurstGPT's failures), which are left out.
    public let skipped: Int

    /// Reads a file.
    ///
    /// - Parameter speed: 2 replays in half the time.
    public init(path: String, format: Format, speed: Double = 1) throws(LoadError) {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw .badTrace(path: path, reason: "cannot be read: \(error.localizedDescription)")
        }
        try self.init(text, format: format, speed: speed, path: path)
    }

    init(_ text: String, format: Format, speed: Double = 1, path: String = "trace") throws(LoadError) {
        let lines = text.split(omittingEmptySubsequences: false) { $0.isNewline }.enumerated()
            .map { (number: $0.offset + 1, text: String($0.element)) }
            .filter { !$0.text.allSatisfy(\.isWhitespace) }
        var parsed: [(time: Double, row: Row)] = []
        // Mooncake's milliseconds stay such: counted from 1970 as seconds they would lose their last digits.
        let unit = format == .mooncake ? 1e6 : 1e9
        do throws(BadLine) {
            switch format {
            case .mooncake: parsed = try lines.map { line throws(BadLine) in try Self.mooncake(line) }
            case .azure:
                parsed = try Self.table(lines, ["TIMESTAMP", "ContextTokens", "GeneratedTokens"], Self.seconds)
            case .burstgpt:
                parsed = try Self.table(lines, ["Timestamp", "Request tokens", "Response tokens"]) { Double($0) }
            }
        } catch {
            throw .badTrace(path: path, reason: error.number.map { "line \($0) \(error.reason)" } ?? error.reason)
        }
        skipped = parsed.count { $0.row.answerTokens == 0 }
        parsed.removeAll { $0.row.answerTokens == 0 }
        guard !parsed.isEmpty else { throw .badTrace(path: path, reason: "has no requests") }
        // Stable: rows of one time keep their order.
        let order = parsed.indices.sorted { (parsed[$0].time, $0) < (parsed[$1].time, $1) }
        let first = parsed[order[0]].time
        var rows: [Row] = []
        for index in order {
            let offset = (parsed[index].time - first) / speed * unit
            guard offset < Double(Int64.max) else {
                throw .badTrace(path: path, reason: "lasts longer than can be waited for, at this speed")
            }
            rows.append(parsed[index].row)
            rows[rows.count - 1].offset = UInt64(max(0, offset))
        }
        self.rows = rows
    }

    /// What each answer must meet, in the order of the rows; empty if no row says anything.
    public var objectives: [ServiceObjectives] {
        rows.allSatisfy(\.objectives.isEmpty) ? [] : rows.map(\.objectives)
    }

    /// When the requests are due.
    public var arrivals: ArrivalPattern { .trace(rows.map(\.offset)) }

    private struct BadLine: Error {
        var number: Int?
        var reason: String
    }

    private typealias Line = (number: Int, text: String)

    private static func mooncake(_ line: Line) throws(BadLine) -> (time: Double, row: Row) {
        struct Entry: Decodable {
            var timestamp: Double
            var inputLength: Int
            var outputLength: Int
            var hashIds: [UInt64]?
            var sloTtftMs: Double?
            var sloTpotMs: Double?
            var sloE2elMs: Double?
        }
        let entry: Entry
        do {
            entry = try JSONCoding.decoder.decode(Entry.self, from: Data(line.text.utf8))
        } catch {
            throw BadLine(number: line.number, reason: "has no timestamp, input_length and output_length")
        }
        var row = try row(
            line.number, entry.timestamp / 1000, entry.inputLength, entry.outputLength, entry.hashIds ?? [])
        row.objectives = ServiceObjectives(ttft: entry.sloTtftMs, tpot: entry.sloTpotMs, latency: entry.sloE2elMs)
        try check(row.objectives, line.number)
        return (entry.timestamp, row)
    }

    /// Reads rows by the names of the header's columns.
    private static func table(
        _ lines: [Line], _ names: [String], _ time: (String) -> Double?
    ) throws(BadLine) -> [(time: Double, row: Row)] {
        guard let header = lines.first else { throw BadLine(number: nil, reason: "is empty") }
        let columns = fields(header.text.hasPrefix("\u{FEFF}") ? String(header.text.dropFirst()) : header.text)
        var places: [Int] = []
        for name in names {
            guard let place = columns.firstIndex(of: name) else {
                throw BadLine(number: header.number, reason: "has no column '\(name)'")
            }
            places.append(place)
        }
        let bounds = objectiveColumns.map { columns.firstIndex(of: $0) }
        return try lines.dropFirst().map { line throws(BadLine) in
            let fields = fields(line.text)
            guard let most = (places + bounds.compactMap { $0 }).max(), most < fields.count else {
                throw BadLine(number: line.number, reason: "has \(fields.count) fields")
            }
            guard let time = time(fields[places[0]]) else {
                throw BadLine(number: line.number, reason: "has the time '\(fields[places[0]])'")
            }
            guard let prompt = count(fields[places[1]]), let answer = count(fields[places[2]]) else {
                throw BadLine(number: line.number, reason: "has no token counts")
            }
            var row = try row(line.number, time, prompt, answer, [])
            let own = try bounds.map { place throws(BadLine) in try bound(place.map { fields[$0] } ?? "", line.number) }
            row.objectives = ServiceObjectives(ttft: own[0], tpot: own[1], latency: own[2])
            try check(row.objectives, line.number)
            return (time, row)
        }
    }

    /// Columns that a trace of any format may have besides its own, as JSONL keys too: bounds in milliseconds.
    private static let objectiveColumns = ["slo_ttft_ms", "slo_tpot_ms", "slo_e2el_ms"]

    private static func bound(_ text: String, _ number: Int) throws(BadLine) -> Double? {
        if text.isEmpty { return nil }
        guard let value = Double(text) else { throw BadLine(number: number, reason: "has the bound '\(text)'") }
        return value
    }

    private static func check(_ objectives: ServiceObjectives, _ number: Int) throws(BadLine) {
        let bounds = [objectives.ttft, objectives.tpot, objectives.latency].compactMap { $0 }
        guard bounds.allSatisfy({ $0 > 0 && $0.isFinite }) else {
            throw BadLine(number: number, reason: "has a bound that is not above 0")
        }
    }

    private static func row(
        _ number: Int, _ time: Double, _ prompt: Int, _ answer: Int, _ blocks: [UInt64]
    ) throws(BadLine) -> Row {
        // Beyond these no request could be sent. `time` is in seconds, maybe since 1970.
        guard time.isFinite, abs(time) < 1e12, (0...1 << 24).contains(prompt), (0...1 << 24).contains(answer) else {
            throw BadLine(number: number, reason: "has a time or a token count that cannot be")
        }
        return Row(offset: 0, promptTokens: max(1, prompt), answerTokens: answer, blocks: blocks)
    }

    private static func fields(_ line: String) -> [String] {
        line.split(separator: ",", omittingEmptySubsequences: false).map {
            $0.trimmingCharacters(in: CharacterSet.whitespaces.union(CharacterSet(charactersIn: "\"\r")))
        }
    }

    /// Counts are written as integers, or as 12.0.
    private static func count(_ text: String) -> Int? {
        guard let value = Double(text), value >= 0, value < 1e9, value == value.rounded() else { return nil }
        return Int(value)
    }

    /// Seconds of a date and time such as `2023-11-16 18:17:03.9799600`, on a scale of its own.
    static func seconds(_ text: String) -> Double? {
        let halves = text.split(whereSeparator: { $0 == " " || $0 == "T" })
        guard halves.count == 2 else { return nil }
        let date = halves[0].split(separator: "-").map { Int($0) }
        let zone = halves[1].prefix { $0 != "+" && $0 != "Z" }
        let clock = zone.split(separator: ":").map { Double($0) }
        guard date.count == 3, let year = date[0], let month = date[1], let day = date[2], clock.count == 3,
            let hour = clock[0], let minute = clock[1], let second = clock[2], (1...9999).contains(year),
            (1...12).contains(month), (1...31).contains(day), (0..<24).contains(hour), (0..<60).contains(minute),
            (0..<61).contains(second)
        else { return nil }
        let days = CivilDate(year: Int64(year), month: Int64(month), day: Int64(day)).days
        return Double(days) * 86_400 + hour * 3600 + minute * 60 + second
    }
}

/// A trace's prompts, made of random tokens.
struct TracePrompts: Sendable {
    let trace: Trace
    let form: RandomPrompts.Form
    let seed: UInt64

    func prompt(_ index: Int) -> LoadPrompt {
        let row = trace.rows[index % trace.rows.count]
        var tokens = TokenWriter(capacity: row.promptTokens)
        for block in row.blocks {
            var generator = SeededGenerator(seed: ~seed &+ block &* 0x9E6C_63D0_876A_3F6B)
            tokens.append(min(Trace.blockTokens, row.promptTokens - tokens.tokens.count), &generator)
        }
        var generator = SeededGenerator(seed: seed &+ UInt64(index) &* 0x2545_F491_4F6C_DD1D)
        tokens.append(row.promptTokens - tokens.tokens.count, &generator)
        return tokens.prompt(form)
    }

    func answerTokens(_ index: Int) -> Int { trace.rows[index % trace.rows.count].answerTokens }
}
