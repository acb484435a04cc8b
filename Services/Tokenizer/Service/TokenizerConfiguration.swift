public import Line
public import Transport

/// What a tokenizer needs to run.
public struct TokenizerConfiguration: Sendable {
    public var name: String
    public var modelName: String
    /// Ingests' tokenizer links.
    public var ingests: [Endpoint]
    /// Where workers dial.
    public var workerLink: Endpoint
    /// Requests to hold beyond what the workers can take, so that encoding overlaps with generating.
    public var lookahead: Int
    public var encodeThreads: Int
    public var line: LineSettings
    /// Who may dial the worker link, where it is reached over TCP; nil for a plain link.
    public var workerGuard: LinkGuard?
    /// Workers' connections at once.
    public var workerConnections = ConnectionLimits().connections
    /// What ingests are shown; nil for plain links.
    public var credentials: LinkCredentials?

    public init(
        name: String, modelName: String, ingests: [Endpoint], workerLink: Endpoint, lookahead: Int = 16,
        encodeThreads: Int, line: LineSettings = LineSettings(), workerGuard: LinkGuard? = nil,
        credentials: LinkCredentials? = nil
    ) {
        self.name = name
        self.modelName = modelName
        self.ingests = ingests
        self.workerLink = workerLink
        self.lookahead = lookahead
        self.encodeThreads = encodeThreads
        self.line = line
        self.workerGuard = workerGuard
        self.credentials = credentials
    }
}
