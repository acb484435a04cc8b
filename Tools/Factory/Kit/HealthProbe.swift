import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// Asks a service's health over HTTP.
public enum HealthProbe {
    /// What a service said.
    public enum Answer: Equatable, Sendable, CustomStringConvertible {
        case ok
        case failing(code: Int, reason: String)
        case noAnswer(reason: String)

        public var description: String {
            switch self {
            case .ok: "ok"
            case .failing(let code, let reason): "failing (\(code)) \(reason)"
            case .noAnswer(let reason): "no answer: \(reason)"
            }
        }
    }

    /// Gets `url` once.
    public static func ask(_ url: String, seconds: Int64 = 5) async -> Answer {
        do {
            let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(seconds))
            let body = try await response.body.collect(upTo: 1 << 20)
            guard response.status != .ok else { return .ok }
            let text = String(decoding: body.readableBytesView.prefix(200), as: UTF8.self)
            return .failing(
                code: Int(response.status.code), reason: String(text.split(whereSeparator: \.isNewline).first ?? ""))
        } catch {
            return .noAnswer(reason: "\(error)")
        }
    }
}
