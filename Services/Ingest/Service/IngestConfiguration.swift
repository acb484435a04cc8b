public import Line
public import Transport

/// What an ingest needs to run.
public struct IngestConfiguration: Sendable {
    public var name: String
    /// Where clients of the ZeroMQ door dial.
    public var clientDoor: Endpoint
    /// Where tokenizers dial.
    public var tokenizerLink: Endpoint
    /// Requests that may wait for a tokenizer.
    public var admission: Int
    /// Bytes of prompts to hold at once, waiting or in the works; beyond them clients are told to retry later.
    public var heldBytes: Int
    /// How long a request may wait for a tokenizer before it fails as unavailable.
    public var waitingNanoseconds: UInt64
    public var line: LineSettings
    /// Tokenizers' connections at once.
    public var tokenizerConnections = ConnectionLimits().connections

    /// The client door's socket: how long its frames and how many its connections may be.
    public var doorSocket = SocketOptions()
    /// Who may dial either, where they are reached over TCP; nil for plain links.
    public var doorGuard: LinkGuard?
    public var lineGuard: LinkGuard?

    public init(
        name: String, clientDoor: Endpoint, tokenizerLink: Endpoint, admission: Int, heldBytes: Int = 1 << 30,
        waitingNanoseconds: UInt64 = 60_000_000_000,
        line: LineSettings = LineSettings(), doorGuard: LinkGuard? = nil, lineGuard: LinkGuard? = nil
    ) {
        self.name = name
        self.clientDoor = clientDoor
        self.tokenizerLink = tokenizerLink
        self.admission = admission
        self.heldBytes = heldBytes
        self.waitingNanoseconds = waitingNanoseconds
        self.line = line
        self.doorGuard = doorGuard
        self.lineGuard = lineGuard
    }
}
