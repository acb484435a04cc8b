import Keys
import NIOHTTP1

/// Decides by a request's head what is to be done, and for whom.
struct RequestGate: Sendable {
    /// What a request asks for.
    enum Plan {
        case complete(RequestReader.Form, Client)
        case models
        case model(String)
        /// One of the operator's routes; if there is none of this path, unknown.
        case admin(String)
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
    private let now: @Sendable () -> Int64

    init(_ configuration: DoorConfiguration) {
        keys = configuration.keys
        openTenant = configuration.openTenant
        now = configuration.now
    }

    func plan(for head: HTTPRequestHead, path: Substring, _ route: Route) -> Plan {
        do throws(APIError) {
            switch (route, head.method) {
            case (.chatCompletions, .POST), (.completions, .POST):
                let client = try client(head.headers)
                try checkContentType(head.headers)
                return .complete(route == .chatCompletions ? .chat : .text, client)
            case (.models, .GET):
                _ = try client(head.headers)
                return .models
            case (.model(let name), .GET):
                _ = try client(head.headers)
                return .model(name)
            case (.unknown, .GET): return .admin(String(path))
            case (.unknown, _): return .refuse(Self.unknown(path))
            default:
                throw APIError(
                    status: 405, message: "\(head.method.rawValue) is not allowed here.", code: "method_not_allowed")
            }
        } catch {
            return .refuse(error)
        }
    }

    static func unknown(_ path: some StringProtocol) -> APIError {
        APIError(status: 404, message: "Unknown path: \(path.prefix(256)).", code: "unknown_url")
    }

    /// The id that the client chose.
    func requestID(_ headers: HTTPHeaders) throws(APIError) -> DoorRequestID? {
        guard let text = headers.first(name: "x-request-id"), !text.isEmpty else { return nil }
        guard let id = DoorRequestID(text) else {
            throw .invalid("X-Request-ID", "X-Request-ID must be 32 hexadecimal digits or a UUID.")
        }
        return id
    }

    /// Demands JSON by name: what a page of another origin may send without asking is text or a form.
    private func checkContentType(_ headers: HTTPHeaders) throws(APIError) {
        let field = headers.first(name: "content-type") ?? ""
        if field == "application/json" { return }
        let type = field.prefix { $0 != ";" }.lowercased()
        guard type.split(separator: " ") == ["application/json"] else {
            throw APIError(
                status: 415, message: "Content-Type must be application/json.", code: "unsupported_media_type")
        }
    }

    private func client(_ headers: HTTPHeaders) throws(APIError) -> Client {
        guard let keys else { return Client(tenant: openTenant) }
        guard let header = headers.first(name: "authorization") else {
            throw APIError(status: 401, message: "No API key: send the header Authorization: Bearer KEY.")
        }
        let words = header.split(separator: " ")
        guard words.count == 2, words[0].lowercased() == "bearer" else { throw Self.incorrect }
        switch keys.check(String(words[1]), scope: .infer, now: now()) {
        case .granted(let grant): return Client(tenant: grant.tenant, grant: grant)
        case .unknown: throw Self.incorrect
        case .expired:
            throw APIError(status: 401, message: "This API key has expired.", code: "expired_api_key")
        case .forbidden:
            throw APIError(
                status: 403, message: "This API key may not be used for completions.", type: "permission_error",
                code: "insufficient_permissions")
        }
    }

    private static let incorrect = APIError(status: 401, message: "Incorrect API key.", code: "invalid_api_key")
}
