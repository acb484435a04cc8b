import CZeroMQ

/// Why a call into the transport failed. What happens to a frame is never an error: see ``SendOutcome``.
public enum TransportError: Error, Equatable, Sendable {
    /// `operation` on `subject` failed with this errno (libzmq's own numbers included).
    case system(operation: String, subject: String, code: Int32)
    /// The context is shutting down.
    case terminated
    case malformedEndpoint(text: String, reason: String)
    case malformedKey(reason: String)
    /// The name has no address; `reason` is the resolver's.
    case unresolved(host: String, reason: String)
}

extension TransportError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .system(let operation, let subject, let code):
            return "\(operation) \(subject): \(Self.text(of: code)) (\(code))"
        case .terminated: return "the ZeroMQ context is shutting down"
        case .malformedEndpoint(let text, let reason): return "endpoint '\(text)': \(reason)"
        case .malformedKey(let reason): return "CURVE key: \(reason)"
        case .unresolved(let host, let reason): return "host '\(host)': \(reason)"
        }
    }

    private static func text(of code: Int32) -> String {
        guard let text = unsafe zmq_strerror(code) else { return "unknown error" }
        return unsafe String(cString: text)
    }
}
