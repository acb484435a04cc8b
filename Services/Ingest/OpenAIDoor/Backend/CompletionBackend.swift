public import AdminDoor
public import Keys

/// What the door needs of whoever makes the answers. All methods are called from any thread and must not block.
public protocol CompletionBackend: Sendable {
    /// The models that are served now.
    func models() async -> [DoorModel]

    /// Begins a request. The answer, or why there is none, goes to `stream`, from one thread at a time; whatever
    /// happens, the stream must get `finish` once, unless it is cancelled before.
    /// - Parameter grant: What the client's key is good for; nil on a door without keys.
    func submit(_ request: DoorRequest, grant: KeyRing.Grant?, to stream: DoorStream)

    /// The tokens of a prompt, or the text of tokens; bounds its own time.
    /// - Parameter grant: As for `submit`.
    func tokens(
        of question: DoorTokenQuestion, grant: KeyRing.Grant?
    ) async -> Result<DoorTokens, DoorFailure>

    /// The client has left before the stream was finished: stop the work. At most once for a stream, at once when the
    /// connection is gone, whether or not anything is being written. What the stream gets after that is dropped.
    func cancel(_ stream: DoorStream)

    /// All text up to `pushAwaited` has been accepted by the client's socket. At most once for each such call, and not
    /// after `cancel`.
    func accepted(_ stream: DoorStream)

    /// Passes a probe through the data path and back; bounds its own time.
    func probe() async -> HealthReport
}

/// A model as `/v1/models` lists it.
public struct DoorModel: Equatable, Sendable {
    public var id: String
    /// Seconds since 1970.
    public var created: Int64
    /// Tokens; nil if not known.
    public var contextLength: Int?

    public init(id: String, created: Int64 = 0, contextLength: Int? = nil) {
        self.id = id
        self.created = created
        self.contextLength = contextLength
    }
}
