import Crypto
public import Foundation

/// The hash chain over the log's rows. The first link binds the ledger's public key.
struct Chain: Equatable {
    private(set) var sequence: Int64
    private(set) var hash: Data

    init(publicKey: Data) {
        sequence = 0
        hash = Data(SHA256.hash(data: Data("token-factory ledger 1".utf8) + publicKey))
    }

    init(sequence: Int64, hash: Data) {
        self.sequence = sequence
        self.hash = hash
    }

    /// Takes the next row in and returns the hash that is stored with it.
    mutating func append(kind: UInt8, received: Int64, name: Data, body: Data) -> Data {
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
    func isSigned(by publicKey: Data) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else { return false }
        return key.isValidSignature(signature, for: message)
    }
}

/// The ledger's signing key, in a file next to the database that only its owner may read.
struct SigningKey: Sendable {
    private let key: Curve25519.Signing.PrivateKey
    private let path: String

    var publicKey: Data { key.publicKey.rawRepresentation }

    /// Reads the file, or makes it where there is none and `create` is set.
    init(path: String, create: Bool) throws(LedgerError) {
        self.path = path
        do {
            if FileManager.default.fileExists(atPath: path) {
                let text = try String(contentsOf: URL(fileURLWithPath: path), encoding: .utf8)
                guard let raw = Data(base64Encoded: text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
                    throw LedgerError.key(path: path, reason: "the file is not one line of base64")
                }
                key = try Curve25519.Signing.PrivateKey(rawRepresentation: raw)
            } else if create {
                key = Curve25519.Signing.PrivateKey()
                try Self.write(key.rawRepresentation.base64EncodedString() + "\n", to: path)
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

    func sign(number: Int64, chain: Chain, at time: Int64) throws(LedgerError) -> Checkpoint {
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
