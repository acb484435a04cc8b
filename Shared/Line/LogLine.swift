/// A line for the log, as a station decides it; the shell writes it.
public struct LogLine: Equatable, Sendable {
    /// As swift-log's.
    public enum Level: Sendable {
        case info
        case notice
        case warning
        case error
        case critical
    }

    public var level: Level
    public var message: String
    /// What the operator needs to know besides, by name.
    public var fields: [String: String]

    public init(_ level: Level, _ message: String, _ fields: [String: String] = [:]) {
        self.level = level
        self.message = message
        self.fields = fields
    }
}
