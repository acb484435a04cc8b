import Foundation

/// The file in which a station says where it serves, once it does: whoever started it reads it.
///
///     {"endpoints":{"client-door":"tcp://127.0.0.1:41234"},"pid":4711}
public actor PortsFile {
    private struct Content: Encodable {
        var pid: Int32
        var endpoints: [String: String]
    }

    private let path: String?
    private var missing: Set<String>
    private var endpoints: [String: String] = [:]

    /// - Parameters:
    ///   - path: nil writes nothing.
    ///   - names: What must be known before the file is written.
    public init(path: String?, names: Set<String>) {
        self.path = path
        missing = names
    }

    /// Notes an address, and writes the file when it is the last.
    public func note(_ name: String, _ address: String) throws {
        endpoints[name] = address
        missing.remove(name)
        guard let path, missing.isEmpty else { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let data = try encoder.encode(
            Content(pid: ProcessInfo.processInfo.processIdentifier, endpoints: endpoints))
        try data.write(to: URL(fileURLWithPath: path), options: .atomic)
    }
}
