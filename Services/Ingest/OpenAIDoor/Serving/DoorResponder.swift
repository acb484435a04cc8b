import AdminDoor
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// Finds out what a request asks for, and for whom, and answers it.
struct DoorResponder<Backend: CompletionBackend>: HTTPResponder {
    let configuration: DoorConfiguration
    let backend: Backend
    let admin: AdminRoutes
    let completions: CompletionHandler<Backend>
    let metrics: DoorMetrics

    func respond(to request: Request, context: DoorContext) async throws -> Response {
        let path = request.uri.path
        if request.method == .get, let response = await admin.response(to: path) { return response }
        let route = Route(path)
        var id = configuration.makeID()
        var isBodyRead = false
        do {
            if let chosen = try requestID(of: request) { id = chosen }
            switch (route, request.method) {
            case (.chatCompletions, .post), (.completions, .post):
                let tenant = try tenant(of: request)
                try checkContentType(request)
                isBodyRead = true
                return try await completions.respond(
                    to: request, form: route == .chatCompletions ? .chat : .text, id: id, tenant: tenant,
                    route: route, context: context)
            case (.models, .get):
                _ = try tenant(of: request)
                return json(ModelsWriter.list(await backend.models()), id: id, route)
            case (.model(let name), .get):
                _ = try tenant(of: request)
                guard let model = await backend.models().first(where: { $0.id == name }) else {
                    throw APIError(DoorFailure(.unknownModel, "The model “\(name.prefix(256))” does not exist."))
                }
                return json(ModelsWriter.one(model), id: id, route)
            case (.unknown, _):
                throw APIError(status: 404, message: "Unknown path: \(path.prefix(256)).", code: "unknown_url")
            default:
                throw APIError(
                    status: 405, message: "\(request.method.rawValue) is not allowed here.", code: "method_not_allowed")
            }
        } catch let error as APIError {
            if !isBodyRead { try await BodyCollector.drop(request) }
            return response(to: request, error, id: id, route, context)
        }
    }

    /// Demands JSON by name: what a page of another origin may send without asking is text or a form.
    private func checkContentType(_ request: Request) throws(APIError) {
        let type = request.headers[.contentType].map { $0.prefix { $0 != ";" }.lowercased() } ?? ""
        guard type.split(separator: " ") == ["application/json"] else {
            throw APIError(
                status: 415, message: "Content-Type must be application/json.", code: "unsupported_media_type")
        }
    }

    private func requestID(of request: Request) throws(APIError) -> DoorRequestID? {
        guard let text = request.headers[DoorHeader.requestID], !text.isEmpty else { return nil }
        guard let id = DoorRequestID(text) else {
            throw .invalid("X-Request-ID", "X-Request-ID must be 32 hexadecimal digits or a UUID.")
        }
        return id
    }

    private func tenant(of request: Request) throws(APIError) -> String {
        guard let keys = configuration.keys else { return configuration.openTenant }
        guard let header = request.headers[.authorization] else {
            throw APIError(status: 401, message: "No API key: send the header Authorization: Bearer KEY.")
        }
        let words = header.split(separator: " ")
        guard words.count == 2, words[0].lowercased() == "bearer", let tenant = keys.tenant(of: String(words[1])) else {
            throw APIError(status: 401, message: "Incorrect API key.", code: "invalid_api_key")
        }
        return tenant
    }

    private func json(_ body: ByteBuffer, id: DoorRequestID, _ route: Route) -> Response {
        metrics.count(route.label, status: 200)
        return Response(
            status: .ok, headers: [.contentType: "application/json", DoorHeader.requestID: id.description],
            body: .init(byteBuffer: body))
    }

    private func response(
        to request: Request, _ error: APIError, id: DoorRequestID, _ route: Route, _ context: DoorContext
    ) -> Response {
        metrics.count(route.label, status: error.status)
        var body = ByteBuffer()
        error.write(to: &body)
        var headers: HTTPFields = [.contentType: "application/json", DoorHeader.requestID: id.description]
        if let milliseconds = error.retryAfterMilliseconds {
            headers[.retryAfter] = "\(max(1, (milliseconds + 999) / 1000))"
            headers[DoorHeader.retryAfterMilliseconds] = "\(milliseconds)"
        }
        if let shouldRetry = error.shouldRetry { headers[DoorHeader.shouldRetry] = "\(shouldRetry)" }
        if error.status == 401 { headers[.wwwAuthenticate] = "Bearer" }
        if error.status == 405 { headers[.allow] = route.method.rawValue }
        let status = HTTPResponse.Status(code: error.status)
        guard error.status != 499, BodyCollector.isEndless(request) else {
            return Response(status: status, headers: headers, body: .init(byteBuffer: body))
        }
        headers[.connection] = "close"
        let channel = context.channel
        let whole = body
        return Response(
            status: status, headers: headers,
            body: .init(contentLength: whole.readableBytes) { writer in
                try await writer.write(whole)
                try await writer.finish(nil)
                try await channel.close()
            })
    }
}

/// The paths that the door knows, its own and the operator's aside.
enum Route: Equatable, Sendable {
    case chatCompletions
    case completions
    case models
    /// One model, by its id; ids may have slashes.
    case model(String)
    case unknown

    init(_ path: String) {
        switch path {
        case "/v1/chat/completions": self = .chatCompletions
        case "/v1/completions": self = .completions
        case "/v1/models": self = .models
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

    /// For metrics.
    var label: String {
        switch self {
        case .chatCompletions: "chat_completions"
        case .completions: "completions"
        case .models, .model: "models"
        case .unknown: "unknown"
        }
    }

    var method: HTTPRequest.Method {
        switch self {
        case .chatCompletions, .completions: .post
        case .models, .model, .unknown: .get
        }
    }
}
