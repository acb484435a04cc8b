import Crypto
public import Foundation

/// The hash chain over the log's rows. The first link binds the ledger's public key.
package struct Chain: Equatable, Sendable {
    package private(set) var sequence: Int64
    package private(set) var hash: Data

    package init(publicKey: Data) {
        sequence = 0
        hash = Data(SHA256.hash(data: Data("token-factory ledger 1".utf8) + publicKey))
    }

    package init(sequence: Int64, hash: Data) {
        self.sequence = sequence
        self.hash = hash
    }

    /// Takes the next row in and returns the hash that is stored with it.
    package mutating func append(kind: UInt8, received: Int64, name: Data, body: Data) -> Data {
        sequence += 1
        var writer = ByteWriter(capacity: 21)
        writer.put(sequence)
        writer.put(received)
        writer.put(kind)
        writer.put(UInt32(truncatingIfNeeded: name.count))
        var digest = SHA256()
        digest.update(data: hash)
        digest.update(data: writer.bytes)
        digest.update(data: name)
        digest.update(data: body)
        hash = Data(digest.finalize())
        return hash
    }
}

/// What is signed: that the log has so many rows and ends in this hash.
public struct Checkpoint: Hashable, Sendable {
    /// Counts the kept checkpoints from 1; 0 is the head, which moves with every commit.
    public var number: Int64
    /// Rows of the log at this point.
    public var sequence: Int64
    /// Chain hash of that row, 32 bytes.
    public var hash: Data
    /// Nanoseconds since 1970.
    public var madeAt: Int64
    /// Ed25519 over the fields above.
    public var signature: Data

    public init(number: Int64, sequence: Int64, hash: Data, madeAt: Int64, signature: Data) {
        self.number = number
        self.sequence = sequence
        self.hash = hash
        self.madeAt = madeAt
        self.signature = signature
    }

    var message: Data {
        var writer = ByteWriter(capacity: 96)
        writer.put("token-factory checkpoint 1")
        writer.put(number)
        writer.put(sequence)
        writer.put(madeAt)
        writer.put(raw: hash)
        return Data(writer.bytes)
    }

    /// Whether the key signed exactly this.
    package func isSigned(by publicKey: Data) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else { return false }
        return key.isValidSignature(signature, for: message)
    }
}
