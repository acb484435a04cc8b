import Foundation
public import Logging
import NIOCore
public import NIOSSL
import Synchronization
public import Telemetry

/// The certificate of an HTTP door and its key, as their files say them now.
///
/// The files are read again when they change (see `watch`): new connections get the new certificate, those that are
/// open keep theirs. All methods may be called on any thread; none waits for the disk but `reread`.
public final class DoorCertificate: Sendable {
    private struct Files: Equatable {
        var certificate: Data
        var key: Data
    }

    private struct State {
        var context: NIOSSLContext
        /// What `context` was made of.
        var used: Files
        /// What the last look found.
        var seen: Files
        /// The last that could not be used.
        var refused: Files?
    }

    public let certificatePath: String
    public let keyPath: String
    private let state: Mutex<State>

    /// Reads both files, in PEM: the certificate with those between it and its authority after it, and its key.
    public init(certificate: String, key: String) throws(DoorCertificateError) {
        certificatePath = certificate
        keyPath = key
        let files = try Self.read(certificate, key)
        let context = try Self.context(of: files, certificate, key)
        state = Mutex(State(context: context, used: files, seen: files))
    }

    /// For the TLS of a connection that has just come.
    public var context: NIOSSLContext { state.withLock { $0.context } }

    /// A handler for such a connection, to stand before all others.
    public func makeHandler() -> NIOSSLServerHandler { NIOSSLServerHandler(context: context) }

    // MARK: Changes

    /// What became of looking at the files.
    public enum Reading: Sendable, Equatable {
        case unchanged
        /// The files have changed since the last look: whoever replaces both may not be done.
        case changing
        case read
        /// The certificate from before stays.
        case failed(DoorCertificateError)
    }

    /// Looks at the files, and uses what they say once two looks have found the same. Waits for the disk.
    public func reread() -> Reading {
        do throws(DoorCertificateError) {
            let files = try Self.read(certificatePath, keyPath)
            let isNew = state.withLock { state -> Reading? in
                defer { state.seen = files }
                if files == state.used || files == state.refused { return .unchanged }
                return files == state.seen ? nil : .changing
            }
            if let isNew { return isNew }
            do throws(DoorCertificateError) {
                let context = try Self.context(of: files, certificatePath, keyPath)
                state.withLock {
                    $0.context = context
                    $0.used = files
                    $0.refused = nil
                }
                return .read
            } catch {
                state.withLock { $0.refused = files }
                throw error
            }
        } catch {
            return .failed(error)
        }
    }

    /// Looks at the files every second until the task is cancelled.
    public func watch(log: Logger, metrics: MetricsRegistry) async {
        let failures = metrics.counter(
            "tokenfactory_http_certificate_failures_total",
            help: "Changes of the door's certificate that could not be used: the one from before stays.")
        var lastFailure: DoorCertificateError?
        while !Task.isCancelled {
            switch reread() {
            case .unchanged, .changing: break
            case .read:
                lastFailure = nil
                log.notice("certificate read again", metadata: ["path": "\(certificatePath)"])
            case .failed(let error):
                if error != lastFailure {
                    failures.increment()
                    log.error(
                        "certificate not read again: the one from before stays", metadata: ["error": "\(error)"])
                }
                lastFailure = error
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }

    // MARK: Reading

    /// Bytes of a file, at most.
    private static var limit: Int { 1 << 20 }

    private static func read(_ certificate: String, _ key: String) throws(DoorCertificateError) -> Files {
        Files(certificate: try content(certificate), key: try content(key))
    }

    private static func content(_ path: String) throws(DoorCertificateError) -> Data {
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            let content = try file.read(upToCount: limit + 1) ?? Data()
            guard content.count <= limit else { throw CocoaError(.fileReadTooLarge) }
            return content
        } catch {
            throw DoorCertificateError(path: path, reason: "cannot be read: \(error.localizedDescription)")
        }
    }

    private static func context(
        of files: Files, _ certificate: String, _ key: String
    ) throws(DoorCertificateError) -> NIOSSLContext {
        let chain: [NIOSSLCertificate]
        do { chain = try NIOSSLCertificate.fromPEMBytes(Array(files.certificate)) } catch {
            throw DoorCertificateError(path: certificate, reason: "is no certificate in PEM: \(error)")
        }
        guard !chain.isEmpty else { throw DoorCertificateError(path: certificate, reason: "has no certificate") }
        let secret: NIOSSLPrivateKey
        do { secret = try NIOSSLPrivateKey(bytes: Array(files.key), format: .pem) } catch {
            // What BoringSSL says may have parts of the file in it.
            throw DoorCertificateError(path: key, reason: "is no private key in PEM without a passphrase")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(secret))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        do { return try NIOSSLContext(configuration: configuration) } catch {
            throw DoorCertificateError(path: key, reason: "is not the key of the certificate in \(certificate)")
        }
    }
}

/// Why a certificate cannot be used.
public struct DoorCertificateError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file at fault.
    public var path: String
    public var reason: String

    public var description: String { "\(path) \(reason)" }
}
