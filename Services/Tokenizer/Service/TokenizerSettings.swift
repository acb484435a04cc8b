public import Line

/// What a tokenizer needs to know.
public struct TokenizerSettings: Sendable {
    public var name: String
    public var modelName: String
    /// Requests to hold beyond what the workers can take, so that encoding overlaps with generating.
    public var lookahead: Int
    public var line: LineSettings

    public init(name: String, modelName: String, lookahead: Int = 16, line: LineSettings = LineSettings()) {
        self.name = name
        self.modelName = modelName
        self.lookahead = lookahead
        self.line = line
    }
}
