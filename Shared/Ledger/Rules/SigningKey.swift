import Crypto
package import Foundation

/// The key that signs a ledger's head and checkpoints.
package struct SigningKey: Sendable {
    private let key: Curve25519.Signing.PrivateKey
    private let path: String

    package var publicKey: Data { key.publicKey.rawRepresentation }

    /// - Parameters:
    ///   - rawRepresentation: 32 bytes.
    ///   - path: what errors call it.
    package init(rawRepresentation: Data, path: String) throws(LedgerError) {
        self.path = path
        do {
            key = try Curve25519.Signing.PrivateKey(rawRepresentation: rawRepresentation)
        } catch {
            throw .key(path: path, reason: "\(error)")
        }
    }

    /// Signs that the log is this. A head has the number 0.
    package func sign(number: Int64, chain: Chain, at time: Int64) throws(LedgerError) -> Checkpoint {
        var checkpoint = Checkpoint(
            number: number, sequence: chain.sequence, hash: chain.hash, madeAt: time, signature: Data())
        do {
            checkpoint.signature = try key.signature(for: checkpoint.message)
        } catch {
            throw .key(path: path, reason: "cannot sign: \(error)")
        }
        return checkpoint
    }
}
