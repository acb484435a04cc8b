/// Where an HTTP door listens.
public struct DoorAddress: Equatable, Sendable {
    /// Host name or address, IPv6 without brackets.
    public var host: String
    /// 0 lets the system choose.
    public var port: Int

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }
}

extension DoorAddress: CustomStringConvertible {
    public var description: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// What is wrong with an address's text.
    public struct ParseError: Error, CustomStringConvertible {
        public var description: String { "not an address such as 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:0" }
    }

    /// Reads `127.0.0.1:8080`, `[::1]:8080`, `localhost:0`.
    public init(parsing text: String) throws(ParseError) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]),
            !text.hasSuffix("+\(port)")
        else { throw ParseError() }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw ParseError()
        }
        guard !host.isEmpty, host.allSatisfy({ $0.isASCII && !$0.isWhitespace && $0 != "[" && $0 != "]" }) else {
            throw ParseError()
        }
        self.init(host: String(host), port: Int(port))
    }

    /// True if only this machine can connect. A host name counts only if it is `localhost`.
    public var isLoopback: Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
