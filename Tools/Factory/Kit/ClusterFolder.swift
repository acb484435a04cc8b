import Foundation

/// The folder of a cluster: state, ledger, spools, logs.
public struct ClusterFolder: Sendable {
    public let path: String

    /// - Parameter path: made absolute, since the services get parts of it.
    public init(path: String) {
        self.path = URL(fileURLWithPath: path).standardizedFileURL.path
    }

    public var database: String { path + "/ledger.sqlite" }
    var stateFile: String { path + "/cluster.json" }
    var spools: String { path + "/spool" }
    /// Where the links' Unix sockets are: who cannot enter it cannot dial.
    var links: String { path + "/links" }

    func log(_ name: String) -> String { "\(path)/\(name).log" }
    func portsFile(_ name: String) -> String { "\(path)/\(name).ports.json" }

    func make() throws(FactoryError) {
        do {
            try FileManager.default.createDirectory(atPath: spools, withIntermediateDirectories: true)
            try FileManager.default.createDirectory(
                atPath: links, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: links)
        } catch {
            throw .folder(path: path, reason: error.localizedDescription)
        }
    }

    /// The state; nil where no cluster was started, or it was taken down.
    public func state() throws(FactoryError) -> ClusterState? {
        guard let data = FileManager.default.contents(atPath: stateFile) else { return nil }
        do {
            return try JSONDecoder().decode(ClusterState.self, from: data)
        } catch {
            throw .folder(path: stateFile, reason: "is damaged: \(error)")
        }
    }

    func save(_ state: ClusterState) throws(FactoryError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            try encoder.encode(state).write(to: URL(fileURLWithPath: stateFile), options: .atomic)
        } catch {
            throw .folder(path: stateFile, reason: error.localizedDescription)
        }
    }

    func forgetState() throws(FactoryError) {
        do {
            try FileManager.default.removeItem(atPath: stateFile)
        } catch {
            throw .folder(path: stateFile, reason: error.localizedDescription)
        }
    }

    func ports(_ name: String) -> PortsFile? {
        FileManager.default.contents(atPath: portsFile(name)).flatMap {
            try? JSONDecoder().decode(PortsFile.self, from: $0)
        }
    }

    /// A service's log, to be written on.
    func openLog(_ name: String) throws -> FileHandle {
        let isThere = FileManager.default.fileExists(atPath: log(name))
        guard isThere || FileManager.default.createFile(atPath: log(name), contents: nil) else {
            throw FactoryError.folder(path: log(name), reason: "cannot be made")
        }
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: log(name)))
        try handle.seekToEnd()
        return handle
    }

    /// The end of a service's log.
    func logTail(_ name: String, lines: Int = 20) -> String {
        let data = FileManager.default.contents(atPath: log(name)) ?? Data()
        let text = String(decoding: data.suffix(16_384), as: UTF8.self)
        return text.split(separator: "\n").suffix(lines).joined(separator: "\n")
    }
}
