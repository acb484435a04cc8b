import Foundation
import Logging

/// Writes each event as one line, in one call of `write`.
struct LineLogHandler: LogHandler {
    /// Takes a whole line, its line feed included. Called from any thread.
    typealias Writer = @Sendable (String) -> Void

    let label: String
    let format: LogFormat
    let write: Writer
    /// Shared by all loggers of a program.
    let rate: LogRate
    /// Seconds since 1970.
    var now: @Sendable () -> Double = { Date().timeIntervalSince1970 }
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    var logLevel: Logger.Level = .info

    init(label: String, format: LogFormat, rate: LogRate = LogRate(), write: @escaping Writer) {
        self.rate = rate
        self.label = label
        self.format = format
        self.write = write
    }

    /// A log that cannot be written must not stop the service, so a failure is dropped.
    static let standardError: Writer = { line in
        try? FileHandle.standardError.write(contentsOf: Data(line.utf8))
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let seconds = now()
        guard let held = rate.pass(event.message.description, second: Int64(seconds)) else { return }
        var fields = metadata
        if let provided = metadataProvider?.get() { fields.merge(provided) { _, new in new } }
        if let own = event.metadata { fields.merge(own) { _, new in new } }
        if let error = event.error { fields["error"] = "\(error)" }
        if held > 0 { fields["held_back"] = "\(held)" }
        let sorted = fields.sorted { $0.key < $1.key }
        let time = Self.timestamp(seconds)
        var line = ""
        switch format {
        case .text:
            line += "\(time) \(event.level.rawValue) \(label): "
            line += Self.oneLine(event.message.description)
            for (key, value) in sorted { line += " \(key)=\(Self.oneLine("\(value)"))" }
        case .json:
            line += "{\"time\":\"\(time)\",\"level\":\"\(event.level.rawValue)\",\"label\":"
            Self.appendJSON(label, to: &line)
            line += ",\"message\":"
            Self.appendJSON(event.message.description, to: &line)
            for (key, value) in sorted {
                line += ","
                Self.appendJSON(key, to: &line)
                line += ":"
                Self.appendJSON(value, to: &line)
            }
            line += "}"
        }
        line += "\n"
        write(line)
    }

    /// ISO 8601 in UTC with milliseconds.
    static func timestamp(_ secondsSince1970: Double) -> String {
        let milliseconds = Int64((secondsSince1970 * 1000).rounded(.down))
        let day = 86_400_000 as Int64
        let days = milliseconds >= 0 ? milliseconds / day : (milliseconds - day + 1) / day
        let rest = milliseconds - days * day
        // Civil date from days: Howard Hinnant, "chrono-compatible low-level date algorithms".
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let dayOfMonth = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func padded(_ value: Int64, _ width: Int = 2) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return "\(padded(year, 4))-\(padded(month))-\(padded(dayOfMonth))T\(padded(rest / 3_600_000)):"
            + "\(padded(rest / 60_000 % 60)):\(padded(rest / 1000 % 60)).\(padded(rest % 1000, 3))Z"
    }

    /// Control characters escaped, so that no value can start a line of its own.
    private static func oneLine(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return text }
        return text.unicodeScalars.reduce(into: "") { line, scalar in
            line += scalar.properties.generalCategory == .control ? scalar.escaped(asASCII: true) : String(scalar)
        }
    }

    private static func appendJSON(_ value: Logger.MetadataValue, to line: inout String) {
        switch value {
        case .string(let text): appendJSON(text, to: &line)
        case .stringConvertible(let value): appendJSON(value.description, to: &line)
        case .array(let values):
            line += "["
            for (index, value) in values.enumerated() {
                if index > 0 { line += "," }
                appendJSON(value, to: &line)
            }
            line += "]"
        case .dictionary(let fields):
            line += "{"
            for (index, field) in fields.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { line += "," }
                appendJSON(field.key, to: &line)
                line += ":"
                appendJSON(field.value, to: &line)
            }
            line += "}"
        }
    }

    private static func appendJSON(_ text: String, to line: inout String) {
        line += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": line += "\\\""
            case "\\": line += "\\\\"
            case "\n": line += "\\n"
            case "\r": line += "\\r"
            case "\t": line += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                let digits = String(scalar.value, radix: 16)
                line += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: line.unicodeScalars.append(scalar)
            }
        }
        line += "\""
    }
}
