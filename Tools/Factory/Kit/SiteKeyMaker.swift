import Foundation
import Transport

/// Makes a site's CURVE keys: for each role a folder with its secret, and one folder with all public keys.
///
///     <site>/<role>/link.key    the role's secret, for its stations alone
///     <site>/public/<role>.pub  its public keys, one a line, for everybody
///
/// What is there stays: a second run adds what is missing, so that it may run at each start.
public struct SiteKeyMaker: Sendable {
    public static let roles = ["ingest", "tokenizer", "inference-worker", "accounting"]

    private let site: String

    public init(site: String) { self.site = URL(fileURLWithPath: site).standardizedFileURL.path }

    public func secretPath(of role: String) -> String { "\(site)/\(role)/link.key" }
    public var publicFolder: String { "\(site)/public" }

    /// Makes the keys of all roles that have none.
    /// - Returns: The roles whose keys were made.
    public func perform() throws -> [String] {
        var made: [String] = []
        for role in Self.roles where !FileManager.default.fileExists(atPath: secretPath(of: role)) {
            try add(role)
            made.append(role)
        }
        return made
    }

    /// Makes another key for a role. Its old public keys stay good until their lines are taken out, so that nothing has
    /// to stop: stations that are started from now on use the new key.
    public func add(_ role: String) throws {
        let pair = try KeyPair.generate()
        try folder("\(site)/\(role)", permissions: 0o700)
        try folder(publicFolder, permissions: 0o755)
        // The public half first: a secret that nobody lists is of no use.
        let path = "\(publicFolder)/\(role).pub"
        let old = (try? String(contentsOf: URL(fileURLWithPath: path), encoding: .utf8)) ?? ""
        try write(old + pair.publicKey.z85 + "\n", to: path, permissions: 0o644)
        try write(pair.secretKey.z85 + "\n", to: secretPath(of: role), permissions: 0o600)
    }

    private func folder(_ path: String, permissions: Int) throws {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: permissions])
    }

    /// Whole or not at all, and never readable by others for a moment: a file of its rights takes the old one's place.
    private func write(_ text: String, to path: String, permissions: Int) throws {
        let temporary = path + ".new"
        try? FileManager.default.removeItem(atPath: temporary)
        guard
            FileManager.default.createFile(
                atPath: temporary, contents: Data(text.utf8), attributes: [.posixPermissions: permissions])
        else { throw FactoryError.folder(path: temporary, reason: "cannot be made") }
        try FileHandle(forWritingTo: URL(fileURLWithPath: temporary)).synchronize()
        // Swift's own `rename(2)`, by way of strings that live for the call.
        guard unsafe rename(temporary, path) == 0 else {
            throw FactoryError.folder(path: path, reason: "cannot be replaced")
        }
    }
}
