public import Line

/// What a worker needs to know.
public struct WorkerConfiguration: Sendable {
    public var name: String
    public var modelName: String
    /// Requests to hold at once.
    public var slots: Int
    /// Tokens that prompt and answer may have together.
    public var contextLength: Int
    public var line: LineSettings

    public init(
        name: String, modelName: String, slots: Int, contextLength: Int, line: LineSettings = LineSettings()
    ) {
        self.name = name
        self.modelName = modelName
        self.slots = slots
        self.contextLength = contextLength
        self.line = line
    }
}
