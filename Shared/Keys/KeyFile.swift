import Foundation

/// Reads a file of keys.
///
/// One line a key: the SHA-256 of the key in hexadecimal, the name of its tenant, and what it may do, all separated by
/// blanks. Empty lines and lines that begin with `#` do not count.
///
///     HASH acme expires=2027-01-31 scopes=infer,report requests-per-minute=600 tokens-per-minute=200000
///     HASH acme weight=4 waiting=256 client-key=Z85-OF-A-CURVE-PUBLIC-KEY
enum KeyFile {
    /// Larger files are not read.
    static let limit = 16 << 20
    private static let perMinute: ClosedRange<UInt64> = 1...1_000_000_000_000

    static func parse(_ text: String, path: String) throws(KeyFileError) -> KeyTable {
        var keys: [KeyDigest: ClientKey] = [:]
        var terms: [String: TenantTerms] = [:]
        var weights: [String: UInt32] = [:]
        var waitings: [String: UInt32] = [:]
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let words = line.split { $0 == " " || $0 == "\t" }
            guard let first = words.first, !first.hasPrefix("#") else { continue }
            func bad(_ reason: String) -> KeyFileError { .badLine(path: path, line: index + 1, reason: reason) }
            guard words.count >= 2 else { throw bad("a line is a hash and a tenant") }
            guard let digest = KeyDigest(hexadecimal: first) else {
                throw bad("the hash is not 64 hexadecimal digits")
            }
            let tenant = words[1]
            let isName = tenant.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
            guard isName, tenant.utf8.count <= 64 else {
                throw bad("a tenant is 1 to 64 letters, digits, dots, dashes and underscores")
            }
            var key = ClientKey(tenant: String(tenant))
            var stated = Stated()
            var names: Set<Substring> = []
            for word in words[2...] {
                guard let equals = word.firstIndex(of: "=") else { throw bad("\(word.prefix(64)) is not name=value") }
                let name = word[..<equals]
                guard names.insert(name).inserted else { throw bad("\(name.prefix(64)) stands twice") }
                if let reason = set(name, word[word.index(after: equals)...], &key, &stated) { throw bad(reason) }
            }
            // What is a tenant's is the same in all its lines.
            guard agree(stated.weight, &weights[key.tenant]) else {
                throw bad("another line of \(tenant) says another weight")
            }
            guard agree(stated.waiting, &waitings[key.tenant]) else {
                throw bad("another line of \(tenant) says another waiting")
            }
            terms[key.tenant] = TenantTerms(weight: weights[key.tenant] ?? 1, waiting: waitings[key.tenant])
            guard keys.updateValue(key, forKey: digest) == nil else { throw bad("the same hash again") }
        }
        return KeyTable(keys, terms: terms)
    }

    /// What one line says of its tenant.
    private struct Stated {
        var weight: UInt32?
        var waiting: UInt32?
    }

    private static func agree(_ stated: UInt32?, _ known: inout UInt32?) -> Bool {
        guard let stated else { return true }
        defer { known = stated }
        return known == nil || known == stated
    }

    /// - Returns: What is wrong; nil when nothing is.
    private static func set(
        _ name: Substring, _ value: Substring, _ key: inout ClientKey, _ stated: inout Stated
    ) -> String? {
        switch name {
        case "expires":
            guard let time = time(value) else {
                return "expires is a day (2027-01-31), a time in UTC (2027-01-31T12:00:00Z) or seconds since 1970"
            }
            key.expires = time
        case "scopes":
            var scopes: KeyScopes = []
            for word in value.split(separator: ",", omittingEmptySubsequences: false) {
                guard let scope = KeyScopes(word: word) else { return "scopes are infer, report and admin" }
                scopes.insert(scope)
            }
            key.scopes = scopes
        case "requests-per-minute", "tokens-per-minute":
            guard let rate = UInt64(value), perMinute.contains(rate) else {
                return "\(name) is a number from \(perMinute.lowerBound) to \(perMinute.upperBound)"
            }
            if name == "requests-per-minute" { key.requestsPerMinute = rate } else { key.tokensPerMinute = rate }
        case "weight":
            guard let weight = UInt32(value), (1...1000).contains(weight) else {
                return "weight is a number from 1 to 1000"
            }
            stated.weight = weight
        case "waiting":
            guard let waiting = UInt32(value), (1...1_000_000).contains(waiting) else {
                return "waiting is a number from 1 to 1000000"
            }
            stated.waiting = waiting
        case "client-key":
            guard isZ85(value) else { return "client-key is a CURVE public key: 40 characters of Z85" }
            key.curveKey = String(value)
        default:
            return "unknown: \(name.prefix(64))"
        }
        return nil
    }

    /// ZeroMQ RFC 32.
    private static func isZ85(_ text: Substring) -> Bool {
        text.utf8.count == 40
            && text.utf8.allSatisfy { byte in
                let letter = Character(UnicodeScalar(byte))
                return letter.isASCII
                    && (letter.isLetter || letter.isNumber || ".-:+=^!/*?&<>()[]{}@%$#".contains(letter))
            }
    }

    /// Seconds since 1970; nil if it is no time.
    private static func time(_ text: Substring) -> Int64? {
        if let seconds = Int64(text), (0...253_402_300_799).contains(seconds) { return seconds }
        let style = Date.ISO8601FormatStyle(timeZone: .gmt)
        let date =
            text.contains("T")
            ? try? style.parse(String(text)) : try? style.year().month().day().parse(String(text))
        return date.map { Int64($0.timeIntervalSince1970) }
    }
}

/// What is wrong with a file of keys.
public enum KeyFileError: Error, Equatable, CustomStringConvertible {
    case unreadable(path: String, reason: String)
    /// Counts from 1.
    case badLine(path: String, line: Int, reason: String)
    case empty(path: String)

    public var description: String {
        switch self {
        case .unreadable(let path, let reason): "cannot read the API keys in \(path): \(reason)"
        case .badLine(let path, let line, let reason): "\(path), line \(line): \(reason)"
        case .empty(let path): "\(path) holds no API key: nobody could use the door"
        }
    }
}
