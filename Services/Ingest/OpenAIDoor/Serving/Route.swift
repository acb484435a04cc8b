import Foundation
import NIOHTTP1

/// The paths that the door knows, its own and the operator's aside.
enum Route: Equatable, Sendable {
    case chatCompletions
    case completions
    case tokenize
    case detokenize
    case models
    /// One model, by its id; ids may have slashes.
    case model(String)
    case health
    case version
    case openAPI
    case unknown

    init(_ path: String) {
        switch path {
        case "/v1/chat/completions": self = .chatCompletions
        case "/v1/completions": self = .completions
        case "/tokenize": self = .tokenize
        case "/detokenize": self = .detokenize
        case "/v1/models": self = .models
        case "/health", "/ping": self = .health
        case "/version": self = .version
        case "/openapi.json": self = .openAPI
        default:
            let prefix = "/v1/models/"
            guard path.hasPrefix(prefix), let name = path.dropFirst(prefix.count).removingPercentEncoding,
                !name.isEmpty
            else {
                self = .unknown
                return
            }
            self = .model(name)
        }
    }

    /// The path of a request's target: without a query, without the authority that clients of a proxy send along,
    /// and without doubled and trailing slashes, which come of joined base addresses.
    static func path(of target: String) -> String {
        let path = plainPath(of: target)
        guard path.utf8.count > 1, path.hasSuffix("/") || path.contains("//") else { return String(path) }
        return "/" + path.split(separator: "/").joined(separator: "/")
    }

    private static func plainPath(of target: String) -> Substring {
        var path = target[...]
        if path.utf8.first != UInt8(ascii: "/"), let scheme = path.firstRange(of: "://") {
            let rest = path[scheme.upperBound...]
            path = rest.firstIndex(of: "/").map { rest[$0...] } ?? "/"
        }
        guard let end = path.utf8.firstIndex(where: { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") }) else {
            return path
        }
        return path[..<end]
    }

    /// For metrics.
    var label: String {
        switch self {
        case .chatCompletions: "chat_completions"
        case .completions: "completions"
        case .tokenize: "tokenize"
        case .detokenize: "detokenize"
        case .models, .model: "models"
        case .health, .version, .openAPI: "admin"
        case .unknown: "unknown"
        }
    }

    var method: HTTPMethod {
        switch self {
        case .chatCompletions, .completions, .tokenize, .detokenize: .POST
        case .models, .model, .health, .version, .openAPI, .unknown: .GET
        }
    }
}
