import Crypto
import Foundation

/// The API keys of a door, by their hashes.
///
/// The file has one line per key: the SHA-256 of the key in hexadecimal, blanks, and the name of the tenant whose key
/// it is. Empty lines and lines that begin with `#` do not count.
public struct APIKeys: Sendable {
    /// What is wrong with a file of keys.
    public enum LoadError: Error, Equatable, CustomStringConvertible {
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

    private let tenants: [[UInt8]: String]

    /// Reads a file.
    public init(contentsOf path: String) throws(LoadError) {
        let text: String
        do {
            text = try String(contentsOf: URL(fileURLWithPath: path), encoding: .utf8)
        } catch {
            throw .unreadable(path: path, reason: "\(error)")
        }
        try self.init(parsing: text, path: path)
    }

    init(parsing text: String, path: String) throws(LoadError) {
        var tenants: [[UInt8]: String] = [:]
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let words = line.split { $0 == " " || $0 == "\t" }
            guard let first = words.first, !first.hasPrefix("#") else { continue }
            func bad(_ reason: String) -> LoadError { .badLine(path: path, line: index + 1, reason: reason) }
            guard words.count == 2 else { throw bad("a line is a hash and a tenant") }
            guard let digest = Self.digest(hexadecimal: first) else {
                throw bad("the hash is not 64 hexadecimal digits")
            }
            let tenant = words[1]
            let isName = tenant.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
            guard isName, tenant.utf8.count <= 64 else {
                throw bad("a tenant is 1 to 64 letters, digits, dots, dashes and underscores")
            }
            guard tenants.updateValue(String(tenant), forKey: digest) == nil else { throw bad("the same hash again") }
        }
        guard !tenants.isEmpty else { throw .empty(path: path) }
        self.tenants = tenants
    }

    /// Whose key this is; nil if nobody's.
    public func tenant(of key: String) -> String? {
        tenants[Array(SHA256.hash(data: Array(key.utf8)))]
    }

    /// The line's first word for a key: its SHA-256 in hexadecimal.
    public static func hash(of key: String) -> String {
        SHA256.hash(data: Array(key.utf8)).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }

    private static func digest(hexadecimal text: Substring) -> [UInt8]? {
        let digits = text.utf8.map { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count == 64 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: 64, by: 2) {
            guard let high = digits[index], let low = digits[index + 1] else { return nil }
            bytes.append(UInt8(high << 4 | low))
        }
        return bytes
    }
}
