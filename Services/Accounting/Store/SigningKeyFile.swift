import Crypto
import Foundation
import Ledger

/// The ledger's signing key, in a file next to the database that only its owner may read.
enum SigningKeyFile {
    /// Reads the file, or makes it where there is none and `create` is set.
    static func open(path: String, create: Bool) throws(LedgerError) -> SigningKey {
        do {
            if FileManager.default.fileExists(atPath: path) {
                let text = try String(contentsOf: URL(fileURLWithPath: path), encoding: .utf8)
                guard let raw = Data(base64Encoded: text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
                    throw LedgerError.key(path: path, reason: "the file is not one line of base64")
                }
                return try SigningKey(rawRepresentation: raw, path: path)
            } else if create {
                let raw = Curve25519.Signing.PrivateKey().rawRepresentation
                try write(raw.base64EncodedString() + "\n", to: path)
                return try SigningKey(rawRepresentation: raw, path: path)
            } else {
                throw LedgerError.key(path: path, reason: "the file is missing; without it no commit can be signed")
            }
        } catch let error as LedgerError {
            throw error
        } catch {
            throw .key(path: path, reason: String(describing: error))
        }
    }

    /// The file is closed to others before the secret is in it.
    private static func write(_ text: String, to path: String) throws {
        guard FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600]) else {
            throw LedgerError.key(path: path, reason: "the file cannot be made")
        }
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        defer { try? file.close() }
        try file.write(contentsOf: Data(text.utf8))
        try file.synchronize()
    }
}
