import Foundation
public import Logging
public import Transport

/// A site's CURVE keys on disk: one file with a role's secret key, and a folder with a file of public keys for each
/// role, `<role>.pub`, one key a line. `factory keygen --site` makes both.
public struct SiteKeyFiles: Sendable {
    public let secret: String
    public let folder: String

    public init(secret: String, folder: String) {
        self.secret = secret
        self.folder = folder
    }

    /// What is wrong with the files.
    public struct LoadError: Error, CustomStringConvertible {
        public var path: String
        public var reason: String
        public var description: String { "\(path): \(reason)" }
    }

    /// Reads all of it.
    public func load() throws(LoadError) -> SiteKeys {
        let (own, listed) = try read()
        return SiteKeys(own: own, listed: listed)
    }

    /// Reads the files again each second, for as long as the task lives: keys that are withdrawn stop, keys that are
    /// added are good. A file that cannot be read changes nothing, and is said once.
    public func watch(_ keys: SiteKeys, logger: Logger) async {
        var seen = try? texts()
        var isTold = false
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            do {
                let now = try texts()
                guard now != seen else { continue }
                // A role is withdrawn by an empty file: one that is not there may be about to be replaced.
                if let gone = seen?.keys.first(where: { now[$0] == nil }) {
                    throw LoadError(path: "\(folder)/\(gone).pub", reason: "is gone")
                }
                let (own, listed) = try read()
                seen = now
                isTold = false
                keys.replace(own: own, listed: listed)
                logger.notice("the site's keys have changed and were read again", metadata: ["folder": "\(folder)"])
            } catch {
                guard !isTold else { continue }
                isTold = true
                logger.error("the site's keys cannot be read: the old ones stay", metadata: ["error": "\(error)"])
            }
        }
    }

    private func read() throws(LoadError) -> (own: KeyPair, listed: [String: [PublicKey]]) {
        let own: KeyPair
        do {
            own = try KeyPair(secretZ85: Self.text(secret))
        } catch {
            throw Self.wrapped(error, secret)
        }
        var listed: [String: [PublicKey]] = [:]
        for (role, text) in try publicTexts() {
            listed[role] = try Self.keys(in: text, path: "\(folder)/\(role).pub")
        }
        guard !listed.isEmpty else { throw LoadError(path: folder, reason: "holds no <role>.pub") }
        return (own, listed)
    }

    private func texts() throws(LoadError) -> [String: String] {
        var texts = try publicTexts()
        texts["secret key"] = try Self.text(secret)
        return texts
    }

    private func publicTexts() throws(LoadError) -> [String: String] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".pub") }
        } catch {
            throw Self.wrapped(error, folder)
        }
        var texts: [String: String] = [:]
        for name in names { texts[String(name.dropLast(4))] = try Self.text(folder + "/" + name) }
        return texts
    }

    private static func keys(in text: String, path: String) throws(LoadError) -> [PublicKey] {
        var keys: [PublicKey] = []
        for line in text.split(whereSeparator: \.isNewline) {
            guard let word = line.split(separator: " ").first, !word.hasPrefix("#") else { continue }
            do {
                keys.append(try PublicKey(z85: String(word)))
            } catch {
                throw wrapped(error, path)
            }
        }
        return keys
    }

    private static func text(_ path: String) throws(LoadError) -> String {
        do {
            return try String(contentsOf: URL(fileURLWithPath: path), encoding: .utf8)
        } catch {
            throw wrapped(error, path)
        }
    }

    private static func wrapped(_ error: any Error, _ path: String) -> LoadError {
        error as? LoadError ?? LoadError(path: path, reason: "\(error)")
    }
}
