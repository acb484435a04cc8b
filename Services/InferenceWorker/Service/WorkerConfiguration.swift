public import Line
public import Transport

/// What a worker needs to run.
public struct WorkerConfiguration: Sendable {
    public var name: String
    public var modelName: String
    /// Tokenizers' worker links.
    public var tokenizers: [Endpoint]
    /// Requests to hold at once.
    public var slots: Int
    /// Tokens that prompt and answer may have together.
    public var contextLength: Int
    public var line: LineSettings
    /// What tokenizers are shown; nil for plain links.
    public var credentials: LinkCredentials?

    public init(
        name: String, modelName: String, tokenizers: [Endpoint], slots: Int, contextLength: Int,
        line: LineSettings = LineSettings(), credentials: LinkCredentials? = nil
    ) {
        self.name = name
        self.modelName = modelName
        self.tokenizers = tokenizers
        self.slots = slots
        self.contextLength = contextLength
        self.line = line
        self.credentials = credentials
    }
}
