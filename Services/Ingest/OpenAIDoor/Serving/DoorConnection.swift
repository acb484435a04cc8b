import AdminDoor
import NIOCore
import NIOHTTP1
import Telemetry

/// One connection of a client: reads its requests one after the other, and writes their answers.
///
/// No task runs for a request: all happens on the event loop, in the turn that brings the bytes or the news. A client
/// that closes its side of the connection has left: OpenAI's clients, and browsers, read no answer after that.
final class DoorConnection: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    enum Phase {
        /// Waits for a request.
        case idle
        /// Reads a request's body, to use or to drop it.
        case reading
        /// A request has been read, and its answer is in the works.
        case answering
        /// Nothing counts any more.
        case closed
    }

    let server: DoorServer
    private(set) var context: ChannelHandlerContext?
    var phase = Phase.idle
    var exchange: Exchange?
    /// What a client sent that did not wait for the answer before.
    private var parts = CircularBuffer<HTTPServerRequestPart>(initialCapacity: 4)
    private var isHandling = false
    private var holdsRead = false
    private var lastActive = NIODeadline.now()
    private var timer: Scheduled<Void>?
    /// The connection ends with what is in the works.
    private var isStopping = false

    init(_ server: DoorServer) { self.server = server }

    // MARK: Events of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        setTimer(after: TimeAmount(server.configuration.idleTimeout), context)
        server.add(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        leave()
        timer?.cancel()
        timer = nil
        self.context = nil
        server.remove(self)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard phase != .closed else { return }
        lastActive = .now()
        parts.append(unwrapInboundIn(data))
        handleParts()
    }

    /// A client that sends more while its answer is in the works has to wait.
    func read(context: ChannelHandlerContext) {
        holdsRead = !parts.isEmpty && phase == .answering
        if !holdsRead { context.read() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent { abort() }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is HTTPParserError, phase == .idle || phase == .reading else { return abort() }
        phase = .closed
        var answer = ByteBuffer()
        answer.writeStaticString("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        context.close(promise: nil)
    }

    // MARK: The end

    /// Ends the connection, at once if nothing is in the works.
    func stop() {
        isStopping = true
        if phase == .idle, parts.isEmpty { abort() }
    }

    func abort() {
        leave()
        context?.close(promise: nil)
    }

    /// The client is gone, or is to go: whatever it had in the works ends.
    private func leave() {
        guard phase != .closed else { return }
        let isComplete = phase == .answering
        phase = .closed
        parts.removeAll()
        guard let exchange else { return }
        self.exchange = nil
        if let stream = exchange.stream {
            stream.cancel()
            release(stream, exchange)
        }
        if isComplete, exchange.isCompletion { server.metrics.count(exchange.route.label, status: 499) }
    }

    /// The door is done with a stream.
    func release(_ stream: DoorStream, _ exchange: Exchange) {
        server.forget(stream)
        server.metrics.openRequests.add(-1)
        server.metrics.deliveredTokens.increment(by: UInt64(stream.deliveredTokens))
        server.metrics.duration.observe(nanoseconds: elapsed(exchange))
    }

    func elapsed(_ exchange: Exchange) -> UInt64 {
        UInt64(max(0, (NIODeadline.now() - exchange.startedAt).nanoseconds))
    }

    /// The answer is written: on to the next request.
    func endExchange() {
        let closes = exchange?.closes ?? true
        exchange = nil
        guard !closes, !isStopping || !parts.isEmpty else { return abort() }
        phase = .idle
        lastActive = .now()
        handleParts()
    }

    /// What stands above the answer's body. Decides whether the connection goes on after it.
    func head(_ exchange: Exchange, id: DoorRequestID?) -> ResponseHead {
        if isStopping, parts.isEmpty { exchange.closes = true }
        return ResponseHead(id: id, date: server.date, closes: exchange.closes)
    }

    private func setTimer(after delay: TimeAmount, _ context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: delay) { [weak self] in self?.endIfIdle() }
    }

    private func endIfIdle() {
        guard let context, phase != .closed else { return }
        let timeout = TimeAmount(server.configuration.idleTimeout)
        if phase == .answering { return setTimer(after: timeout, context) }
        let left = lastActive + timeout - .now()
        if left <= .zero { abort() } else { setTimer(after: left, context) }
    }

    // MARK: Requests

    private func handleParts() {
        guard !isHandling else { return }
        isHandling = true
        while phase == .idle || phase == .reading, let part = parts.popFirst() {
            switch part {
            case .head(let head): begin(head)
            case .body(let body): add(body)
            case .end: if phase == .reading { process() }
            }
        }
        isHandling = false
        if holdsRead, parts.isEmpty {
            holdsRead = false
            context?.read()
        }
    }

    private func begin(_ head: HTTPRequestHead) {
        let path = Route.path(of: head.uri)
        let route = Route(path)
        var plan = server.gate.plan(for: head, path: path, route)
        var chosen: DoorRequestID?
        if case .admin = plan {
        } else {
            do throws(APIError) { chosen = try server.gate.requestID(head.headers) } catch { plan = .refuse(error) }
        }
        let exchange = Exchange(
            head, plan: plan, route: route, id: chosen ?? server.configuration.makeID(), clientChoseID: chosen != nil)
        self.exchange = exchange
        phase = .reading
        // A client that asks before it sends a large body waits for this answer, some for a second.
        if head.headers.first(name: "expect")?.lowercased() == "100-continue" {
            var answer = ByteBuffer()
            answer.writeStaticString("HTTP/1.1 100 Continue\r\n\r\n")
            context?.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        }
        guard exchange.isEndless else { return }
        switch plan {
        case .refuse(let error): refuse(exchange, error)
        case .complete where exchange.hasLength: refuse(exchange, tooLarge)
        default: break
        }
    }

    private var tooLarge: APIError {
        let message = "The body is larger than \(server.configuration.bodyLimit) bytes."
        return APIError(status: 413, message: message, code: "request_too_large")
    }

    private func add(_ part: ByteBuffer) {
        guard let exchange, !exchange.add(part, limit: server.configuration.bodyLimit) else { return }
        exchange.isEndless = true
        refuse(exchange, tooLarge)
    }

    private func process() {
        guard let exchange else { return }
        phase = .answering
        switch exchange.plan {
        case .refuse(let error): refuse(exchange, error)
        case .complete(let form, let client):
            guard exchange.bodyBytes <= server.configuration.bodyLimit else { return refuse(exchange, tooLarge) }
            complete(exchange, form, client)
        case .admin(let path): askAdmin(exchange, path)
        case .models, .model: askModels(exchange)
        }
    }

    private func askAdmin(_ exchange: Exchange, _ path: String) {
        let (admin, loop) = (server.admin, server.loop)
        let bound = NIOLoopBound((self, exchange), eventLoop: loop)
        Task {
            let answer = await admin.answer(to: path)
            loop.execute {
                let (connection, exchange) = bound.value
                connection.answer(exchange, answer, path)
            }
        }
    }

    private func answer(_ exchange: Exchange, _ answer: AdminRoutes.Answer?, _ path: String) {
        guard self.exchange === exchange else { return }
        guard let answer else { return refuse(exchange, RequestGate.unknown(path)) }
        respond(
            exchange, status: answer.status, id: nil, contentType: answer.contentType,
            fields: [("Cache-Control", "no-store")], ByteBuffer(string: answer.body))
    }

    private func askModels(_ exchange: Exchange) {
        let (backend, loop) = (server.backend, server.loop)
        let bound = NIOLoopBound((self, exchange), eventLoop: loop)
        Task {
            let models = await backend.models()
            loop.execute {
                let (connection, exchange) = bound.value
                connection.answer(exchange, models)
            }
        }
    }

    private func answer(_ exchange: Exchange, _ models: [DoorModel]) {
        guard self.exchange === exchange else { return }
        let body: ByteBuffer
        if case .model(let name) = exchange.plan {
            guard let model = models.first(where: { $0.id == name }) else {
                let message = "The model “\(name.prefix(256))” does not exist."
                return refuse(exchange, APIError(DoorFailure(.unknownModel, message)))
            }
            body = ModelsWriter.one(model)
        } else {
            body = ModelsWriter.list(models)
        }
        server.metrics.count(exchange.route.label, status: 200)
        respond(exchange, status: 200, id: exchange.id, contentType: "application/json", fields: [], body)
    }

    // MARK: Answers in one piece

    /// Answers with an error.
    func refuse(_ exchange: Exchange, _ error: APIError) {
        phase = .answering
        server.metrics.count(exchange.route.label, status: error.status)
        var fields: [(String, String)] = []
        if let milliseconds = error.retryAfterMilliseconds {
            fields.append(("Retry-After", "\(max(1, (milliseconds + 999) / 1000))"))
            fields.append(("retry-after-ms", "\(milliseconds)"))
        }
        if let shouldRetry = error.shouldRetry { fields.append(("x-should-retry", "\(shouldRetry)")) }
        if error.status == 401 { fields.append(("WWW-Authenticate", "Bearer")) }
        if error.status == 405 { fields.append(("Allow", exchange.route.method.rawValue)) }
        if exchange.isEndless { exchange.closes = true }
        var body = ByteBuffer()
        error.write(to: &body)
        respond(
            exchange, status: error.status, id: exchange.id, contentType: "application/json", fields: fields, body)
    }

    private func respond(
        _ exchange: Exchange, status: Int, id: DoorRequestID?, contentType: String, fields: [(String, String)],
        _ body: ByteBuffer
    ) {
        let head = head(exchange, id: id)
        let buffer = server.write { buffer in
            head.write(
                status: status, contentType: contentType, fields: fields, length: body.readableBytes, to: &buffer)
            if !exchange.isHead { buffer.writeImmutableBuffer(body) }
        }
        send(exchange, buffer, Sent(isLast: true))
    }

    // MARK: Writing

    /// What is true once a write has been accepted.
    struct Sent {
        /// Whose text it carries.
        var tokens = 0
        var isLast = false
        /// The backend waits to hear of it.
        var isAwaited = false
    }

    /// Writes and flushes; the socket may take it before this returns.
    func send(_ exchange: Exchange, _ buffer: ByteBuffer, _ sent: Sent) {
        guard let context else { return }
        exchange.isWriting = true
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { result in
            if case .failure = result { return self.abort() }
            guard self.exchange === exchange else { return }
            exchange.isWriting = false
            if let stream = exchange.stream {
                self.server.metrics.writes.increment()
                self.accepted(exchange, stream, sent)
            } else if sent.isLast {
                self.endExchange()
            }
        }
        context.writeAndFlush(wrapOutboundOut(buffer), promise: promise)
    }
}
