/// Why an operator's command could not be done.
public enum FactoryError: Error, Equatable, Sendable, CustomStringConvertible {
    case folder(path: String, reason: String)
    /// A cluster of this folder runs already.
    case alreadyUp(path: String, processes: Int)
    case notUp(path: String)
    case noProgram(path: String)
    case cannotStart(name: String, reason: String)
    /// A service ended before it served.
    case diedAtStart(name: String, logTail: String)
    case notInTime(what: String, seconds: Double, logTail: String)
    case noEndpoint(name: String, known: [String])

    public var description: String {
        switch self {
        case .folder(let path, let reason): "\(path): \(reason)"
        case .alreadyUp(let path, let processes):
            "\(path) has a cluster of \(processes) processes that run; take it down first"
        case .notUp(let path): "\(path) has no cluster that is up"
        case .noProgram(let path): "\(path) is not there; build it, or name the folder by --bin"
        case .cannotStart(let name, let reason): "\(name) could not be started: \(reason)"
        case .diedAtStart(let name, let tail): "\(name) ended before it served. Its log ends:\n\(tail)"
        case .notInTime(let what, let seconds, let tail):
            "not within \(seconds) s: \(what)" + (tail.isEmpty ? "" : ". The log ends:\n\(tail)")
        case .noEndpoint(let name, let known):
            "no endpoint \(name); there are: \(known.joined(separator: ", "))"
        }
    }
}
