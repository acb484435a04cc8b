import Crypto
import Formats
public import Transport

/// New keys for an operator, from the operating system's randomness.
public struct KeyMaker: Sendable {
    /// Z85, for whoever dials.
    public let curvePublicKey: String
    /// Z85, for the server alone.
    public let curveSecretKey: String
    /// For the client alone; nobody else keeps it.
    public let apiKey: String
    /// The line for ingest's file of keys: the API key's SHA-256 and its tenant.
    public let keysLine: String

    public init(tenant: String) throws(TransportError) {
        let pair = try KeyPair.generate()
        curvePublicKey = pair.publicKey.z85
        curveSecretKey = pair.secretKey.z85
        var random = SystemRandomNumberGenerator()
        apiKey = "tf-" + Hexadecimal.text((0..<32).map { _ in UInt8.random(in: .min ... .max, using: &random) })
        keysLine = Hexadecimal.text(SHA256.hash(data: Array(apiKey.utf8))) + " " + tenant
    }
}
