import AdminDoor
import Keys
import NIOHTTP1

/// Decides by a request's head what is to be done, and for whom.
struct RequestGate: Sendable {
    /// What a request asks for.
    enum Plan {
        case complete(RequestReader.Form, Client)
        case tokens(TokenReader.Form, Client)
        case models
        case model(String)
        /// One of the operator's routes; if there is none of this path, unknown.
        case admin(String)
        /// A browser's question whether a page may ask.
        case preflight
        /// What is the same for everybody.
        case text(String)
        case refuse(APIError)
    }

    /// Who asks.
    struct Client: Sendable {
        var tenant: String
        /// Nil on a door without keys.
        var grant: KeyRing.Grant?
    }

    private let keys: KeyRing?
    private let openTenant: String
    private let origins: Set<String>
    private let version: String
    /// Beyond loopback the metrics are for operators alone.
    private let guardsMetrics: Bool
    private let now: @Sendable () -> Int64

    init(_ configuration: DoorConfiguration) {
        keys = configuration.keys
        openTenant = configuration.openTenant
        origins = Set(configuration.corsOrigins)
        version = configuration.version
        guardsMetrics = configuration.keys != nil && !configuration.address.isLoopback
        now = configuration.now
    }

    func plan(for head: HTTPRequestHead, path: String, _ route: Route) -> Plan {
        do throws(APIError) {
            if head.version == .http1_1, head.headers[canonicalForm: "host"].count != 1 {
                throw .invalid("Host", "A request of HTTP/1.1 has one Host field.", code: "invalid_http")
            }
            // Whoever gets an answer may ask for its head alone.
            let method = head.method == .HEAD ? .GET : head.method
            switch (route, method) {
            case (.chatCompletions, .POST), (.completions, .POST):
                let client = try client(head.headers)
                try checkContent(head.headers)
                return .complete(route == .chatCompletions ? .chat : .text, client)
            case (.tokenize, .POST), (.detokenize, .POST):
                let client = try client(head.headers)
                try checkContent(head.headers)
                return .tokens(route == .tokenize ? .tokenize : .detokenize, client)
            case (.models, .GET):
                _ = try client(head.headers)
                return .models
            case (.model(let name), .GET):
                _ = try client(head.headers)
                return .model(name)
            case (.health, .GET): return .admin("/healthz")
            case (.version, .GET): return .text("{\"version\":\"\(version)\"}\n")
            case (.openAPI, .GET): return .text(OpenAPIDocument.text)
            case (_, .OPTIONS) where !origins.isEmpty: return .preflight
            case (.unknown, .GET):
                if path == "/metrics", guardsMetrics { _ = try client(head.headers, scope: .admin) }
                return .admin(path)
            case (.unknown, _): return .refuse(Self.unknown(path))
            default:
                throw APIError(
                    status: 405, message: "\(head.method.rawValue) is not allowed here.", code: "method_not_allowed")
            }
        } catch {
            return .refuse(error)
        }
    }

    /// The header lines that let a page of another origin read the answer; empty if its origin is none of ours.
    func cors(_ head: HTTPRequestHead) -> String {
        guard !origins.isEmpty, let origin = head.headers.first(name: "origin") else { return "" }
        guard origins.contains("*") || origins.contains(origin) else { return "Vary: Origin\r\n" }
        var lines = "Vary: Origin\r\nAccess-Control-Allow-Origin: \(origins.contains("*") ? "*" : origin)\r\n"
        lines += "Access-Control-Expose-Headers: x-request-id, x-operation-id, x-ignored-fields, Retry-After\r\n"
        guard head.method == .OPTIONS else { return lines }
        lines += "Access-Control-Allow-Methods: GET, HEAD, POST, OPTIONS\r\nAccess-Control-Max-Age: 3600\r\n"
        let asked = head.headers[canonicalForm: "access-control-request-headers"]
        let names = asked.filter { name in
            name.utf8.allSatisfy { $0 == 0x2d || (0x30...0x39).contains($0) || (0x61...0x7a).contains($0 | 0x20) }
        }
        if !names.isEmpty {
            lines += "Access-Control-Allow-Headers: \(names.prefix(64).joined(separator: ", "))\r\n"
        }
        return lines
    }

    static func unknown(_ path: some StringProtocol) -> APIError {
        APIError(status: 404, message: "Unknown path: \(path.prefix(256)).", code: "unknown_url")
    }

    /// Demands JSON by name: what a page of another origin may send without asking is text or a form.
    private func checkContent(_ headers: HTTPHeaders) throws(APIError) {
        // Whole words: the decompressor reads these two, by these names.
        if let coding = headers.first(name: "content-encoding"), !["identity", "gzip", "deflate"].contains(coding) {
            throw APIError(
                status: 415, message: "Content-Encoding must be gzip, deflate or identity.",
                code: "unsupported_media_type")
        }
        let field = headers.first(name: "content-type") ?? ""
        if field == "application/json" { return }
        let type = field.prefix { $0 != ";" }.lowercased()
        guard type.split(separator: " ") == ["application/json"] else {
            throw APIError(
                status: 415, message: "Content-Type must be application/json.", code: "unsupported_media_type")
        }
    }

    private func client(_ headers: HTTPHeaders, scope: KeyScopes = .infer) throws(APIError) -> Client {
        guard let keys else { return Client(tenant: openTenant) }
        guard let header = headers.first(name: "authorization") else {
            throw APIError(status: 401, message: "No API key: send the header Authorization: Bearer KEY.")
        }
        let words = header.split(separator: " ")
        guard words.count == 2, words[0].lowercased() == "bearer" else { throw Self.incorrect }
        switch keys.check(String(words[1]), scope: scope, now: now()) {
        case .granted(let grant): return Client(tenant: grant.tenant, grant: grant)
        case .unknown: throw Self.incorrect
        case .expired:
            throw APIError(status: 401, message: "This API key has expired.", code: "expired_api_key")
        case .forbidden:
            throw APIError(
                status: 403, message: "This API key may not be used for this.", type: "permission_error",
                code: "insufficient_permissions")
        }
    }

    private static let incorrect = APIError(status: 401, message: "Incorrect API key.", code: "invalid_api_key")
}
