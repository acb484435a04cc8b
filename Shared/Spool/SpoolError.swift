import Foundation

/// Why a spool could not do what was asked.
public enum SpoolError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file system refused; `reason` is the system's text.
    case file(operation: String, path: String, reason: String)
    /// A living process holds this spool.
    case held(path: String)
    /// A file of a spool's name is none, or is another instance's.
    case foreign(path: String, reason: String)
    /// The event could not be sent: accounting would refuse its frame. Nothing was written.
    case unsendable(reason: String)

    public var description: String {
        switch self {
        case .file(let operation, let path, let reason): "spool: cannot \(operation) \(path): \(reason)"
        case .held(let path): "spool: \(path) is held by a living process"
        case .foreign(let path, let reason): "spool: \(path) is not usable: \(reason)"
        case .unsendable(let reason): "spool: the event cannot be sent: \(reason)"
        }
    }

    /// What the system refused, by its `errno`.
    static func system(_ operation: String, _ path: String, _ code: Int32) -> SpoolError {
        .file(operation: operation, path: path, reason: unsafe String(cString: strerror(code)))
    }

    static func wrapping(_ error: any Error, _ operation: String, _ path: String) -> SpoolError {
        if let error = error as? SpoolError { return error }
        return .file(operation: operation, path: path, reason: String(describing: error))
    }
}
