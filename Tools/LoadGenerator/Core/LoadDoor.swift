/// A way into the service.
public protocol LoadDoor: Sendable {
    /// The model that is served there.
    func servedModel() async throws(LoadError) -> String
    /// Sends one request and waits for all of its answer; whatever goes wrong is part of the outcome.
    func perform(_ request: LoadRequest) async -> LoadOutcome
    /// Closes all connections.
    func close() async
}

/// Why a run cannot begin.
public enum LoadError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Nobody answers at `door`.
    case unreachable(door: String, reason: String)
    /// The door answers, but names no model.
    case noModel(door: String)
    /// The prompt file cannot be used.
    case badPrompts(path: String, reason: String)

    public var description: String {
        switch self {
        case .unreachable(let door, let reason): "\(door) does not answer: \(reason)"
        case .noModel(let door): "\(door) names no model; say which by --model"
        case .badPrompts(let path, let reason): "\(path): \(reason)"
        }
    }
}
