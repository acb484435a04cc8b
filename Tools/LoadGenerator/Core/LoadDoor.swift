/// A way into the service.
public protocol LoadDoor: Sendable {
    /// The model that is served there.
    func servedModel() async throws(LoadError) -> String
    /// Sends one request, from any thread, and returns at once.
    ///
    /// - Parameter ended: called once, on a thread of the door's, when all of the answer has come; whatever goes wrong
    ///   is part of the outcome. It may begin the next request.
    func begin(_ request: LoadRequest, ended: @escaping LoadEnded)
    /// Closes all connections.
    func close() async
}

/// Takes what became of a request.
public typealias LoadEnded = @Sendable (LoadOutcome) -> Void

/// Why a run cannot begin.
public enum LoadError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Nobody answers at `door`.
    case unreachable(door: String, reason: String)
    /// The door answers, but names no model.
    case noModel(door: String)
    /// The prompt file cannot be used.
    case badPrompts(path: String, reason: String)
    /// The trace cannot be used.
    case badTrace(path: String, reason: String)
    /// An option's value has no meaning.
    case badOption(text: String, reason: String)

    public var description: String {
        switch self {
        case .unreachable(let door, let reason): "\(door) does not answer: \(reason)"
        case .noModel(let door): "\(door) names no model; say which by --model"
        case .badPrompts(let path, let reason), .badTrace(let path, let reason): "\(path): \(reason)"
        case .badOption(let text, let reason): "'\(text)': \(reason)"
        }
    }
}
