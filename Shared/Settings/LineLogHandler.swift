import Formats
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
        let time = CivilDate.timestamp(milliseconds: Int64((seconds * 1000).rounded(.down)))
        var line = ""
        switch format {
        case .text:
            line += "\(time) \(event.level.rawValue) \(label): "
            line += Self.oneLine(event.message.description)
            for (key, value) in sorted { line += " \(key)=\(Self.oneLine("\(value)"))" }
        case .json:
            line += "{\"time\":\"\(time)\",\"level\":\"\(event.level.rawValue)\",\"label\":"
            line += JSONText.literal(label)
            line += ",\"message\":"
            line += JSONText.literal(event.message.description)
            for (key, value) in sorted {
                line += ","
                line += JSONText.literal(key)
                line += ":"
                Self.appendJSON(value, to: &line)
            }
            line += "}"
        }
        line += "\n"
        write(line)
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
        case .string(let text): line += JSONText.literal(text)
        case .stringConvertible(let value): line += JSONText.literal(value.description)
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
                line += JSONText.literal(field.key)
                line += ":"
                appendJSON(field.value, to: &line)
            }
            line += "}"
        }
    }
}
