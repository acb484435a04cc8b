import Crypto
import Formats

/// The SHA-256 of a key.
struct KeyDigest: Hashable, Sendable {
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    init(of key: String) {
        self.init(SHA256.hash(data: Array(key.utf8)))
    }

    /// Another digest, of this one under a secret: where it stands in a table tells nobody anything of this one.
    func blinded(by secret: SymmetricKey) -> KeyDigest {
        KeyDigest(HMAC<SHA256>.authenticationCode(for: bytes, using: secret))
    }

    /// From 64 hexadecimal digits; nil for anything else.
    init?(hexadecimal text: Substring) {
        let digits = Array(text.utf8)
        guard digits.count == 64 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: 64, by: 2) {
            guard let high = Self.value(digits[index]), let low = Self.value(digits[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        self.init(bytes)
    }

    private init(_ bytes: some Sequence<UInt8>) {
        var all: [UInt64] = [0, 0, 0, 0]
        for (index, byte) in bytes.enumerated() where index < 32 {
            all[index / 8] = all[index / 8] << 8 | UInt64(byte)
        }
        words = (all[0], all[1], all[2], all[3])
    }

    var bytes: [UInt8] {
        [words.0, words.1, words.2, words.3].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) }
        }
    }

    var hexadecimal: String { Hexadecimal.text(bytes) }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// Takes the same time whatever differs.
    static func == (one: KeyDigest, other: KeyDigest) -> Bool {
        (one.words.0 ^ other.words.0) | (one.words.1 ^ other.words.1) | (one.words.2 ^ other.words.2)
            | (one.words.3 ^ other.words.3) == 0
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
    }
}
