/// Where a socket binds or connects.
public enum Endpoint: Hashable, Sendable {
    /// `host` is a name, an IPv4 address, an IPv6 address without brackets, or `*` (bind only); port 0 binds any.
    case tcp(host: String, port: UInt16)
    /// A Unix socket's path; libzmq takes at most 107 bytes.
    case ipc(path: String)
    /// A name within one context.
    case inproc(name: String)

    /// Reads `tcp://host:port`, `tcp://[::1]:port`, `ipc:///path` or `inproc://name`.
    public init(_ text: String) throws(TransportError) {
        func refuse(_ reason: String) -> TransportError { .malformedEndpoint(text: text, reason: reason) }
        // libzmq takes C strings: what follows a NUL would be lost silently.
        guard !text.utf8.contains(0) else { throw refuse("contains a NUL byte") }
        if let rest = Self.after("tcp://", in: text) {
            guard let colon = rest.lastIndex(of: ":") else { throw refuse("needs host:port") }
            let digits = rest[rest.index(after: colon)...]
            guard !digits.isEmpty, digits.utf8.allSatisfy({ (48...57).contains($0) }), let port = UInt16(digits) else {
                throw refuse("port is not a number from 0 to 65535")
            }
            var host = rest[..<colon]
            if host.hasPrefix("[") {
                guard host.hasSuffix("]") else { throw refuse("'[' without ']'") }
                host = host.dropFirst().dropLast()
                guard host.contains(":") else { throw refuse("no IPv6 address in the brackets") }
            } else if host.contains(":") {
                throw refuse("an IPv6 address stands in brackets")
            }
            let forbidden = host.utf8.contains { $0 <= 32 || $0 == 47 || $0 == 59 }
            guard !host.isEmpty, !forbidden else { throw refuse("host is empty or has a forbidden character") }
            self = .tcp(host: String(host), port: port)
        } else if let path = Self.after("ipc://", in: text) {
            guard !path.isEmpty else { throw refuse("path is empty") }
            self = .ipc(path: String(path))
        } else if let name = Self.after("inproc://", in: text) {
            guard !name.isEmpty else { throw refuse("name is empty") }
            self = .inproc(name: String(name))
        } else {
            throw refuse("does not start with tcp://, ipc:// or inproc://")
        }
    }

    private static func after(_ scheme: String, in text: String) -> Substring? {
        text.hasPrefix(scheme) ? text.dropFirst(scheme.count) : nil
    }

    /// The TCP port, if it has one.
    public var port: UInt16? {
        if case .tcp(_, let port) = self { port } else { nil }
    }

    var isIPv6: Bool {
        if case .tcp(let host, _) = self { host.utf8.contains(UInt8(ascii: ":")) } else { false }
    }
}

extension Endpoint: CustomStringConvertible {
    /// The form that ``init(_:)`` reads and libzmq takes.
    public var description: String {
        switch self {
        case .tcp(let host, let port): isIPv6 ? "tcp://[\(host)]:\(port)" : "tcp://\(host):\(port)"
        case .ipc(let path): "ipc://\(path)"
        case .inproc(let name): "inproc://\(name)"
        }
    }
}
