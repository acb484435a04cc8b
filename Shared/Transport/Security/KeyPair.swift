import CZeroMQ

/// A CURVE public key: names a server to its clients, and a client to the authenticator.
public struct PublicKey: Hashable, Sendable, CustomStringConvertible {
    /// 40 characters of Z85.
    public let z85: String

    public init(z85: String) throws(TransportError) {
        guard Z85.decode(z85)?.count == 32 else { throw .malformedKey(reason: "not 40 characters of Z85") }
        self.z85 = z85
    }

    /// From the 32 bytes that a client presents; nil for any other count.
    init?(bytes: [UInt8]) {
        guard bytes.count == 32, let z85 = Z85.encode(bytes) else { return nil }
        self.z85 = z85
    }

    public var description: String { z85 }
}

/// A CURVE secret key. It prints as a placeholder, so that it cannot get into a log by accident.
public struct SecretKey: Sendable, CustomStringConvertible, CustomReflectable {
    /// 40 characters of Z85.
    public let z85: String

    public init(z85: String) throws(TransportError) {
        guard Z85.decode(z85)?.count == 32 else { throw .malformedKey(reason: "not 40 characters of Z85") }
        self.z85 = z85
    }

    public var description: String { "(secret key)" }
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// A long-term CURVE identity.
public struct KeyPair: Sendable {
    public let publicKey: PublicKey
    public let secretKey: SecretKey

    /// Makes a new identity from the operating system's randomness.
    public static func generate() throws(TransportError) -> KeyPair {
        var publicKey = [CChar](repeating: 0, count: 41)
        var secretKey = [CChar](repeating: 0, count: 41)
        guard unsafe zmq_curve_keypair(&publicKey, &secretKey) == 0 else { throw .last("generate", "CURVE key pair") }
        return KeyPair(
            publicKey: try PublicKey(z85: Self.text(publicKey)), secretKey: try SecretKey(z85: Self.text(secretKey)))
    }

    /// The identity of a secret key.
    public init(secretKey: SecretKey) throws(TransportError) {
        var publicKey = [CChar](repeating: 0, count: 41)
        guard unsafe zmq_curve_public(&publicKey, secretKey.z85) == 0 else { throw .last("derive", "CURVE public key") }
        self.init(publicKey: try PublicKey(z85: Self.text(publicKey)), secretKey: secretKey)
    }

    /// The identity of a secret key in Z85, as read from a file: white space around it is ignored.
    public init(secretZ85 text: String) throws(TransportError) {
        let trimmed = text.drop { $0.isWhitespace }.prefix { !$0.isWhitespace }
        guard text.drop(while: \.isWhitespace).dropFirst(trimmed.count).allSatisfy(\.isWhitespace) else {
            throw .malformedKey(reason: "more than one word")
        }
        try self.init(secretKey: SecretKey(z85: String(trimmed)))
    }

    private init(publicKey: PublicKey, secretKey: SecretKey) {
        self.publicKey = publicKey
        self.secretKey = secretKey
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
