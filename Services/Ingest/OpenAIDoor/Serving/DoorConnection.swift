import AdminDoor
import NIOCore
import NIOHTTP1
import NIOHTTPCompression
import NIOTLS
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
        /// All is answered, and the connection has no more requests: what the client still sends is dropped until it
        /// has had time to read.
        case lingering
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
    /// Since when it is in its phase.
    private var phaseSince = NIODeadline.now()
    /// When the first byte of the next head came.
    private var headSince: NIODeadline?
    /// The decoder understands no more of what the client sends.
    private var hasRubbish = false
    /// A request of it came with a good key, or there are no keys.
    private(set) var isKnown = false
    /// The connection ends with what is in the works.
    private var isStopping = false

    init(_ server: DoorServer) { self.server = server }

    // MARK: Events of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        // A handshake is held to the time of a head.
        if server.configuration.certificate != nil { headSince = .now() }
        server.add(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        leave()
        self.context = nil
        server.remove(self)
    }

    /// Bytes came, of whatever.
    func noteArrival() {
        if phase == .idle, headSince == nil { headSince = .now() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard phase != .closed, phase != .lingering else { return }
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
        if case TLSUserEvent.handshakeCompleted? = event as? TLSUserEvent, phase == .idle { enter(.idle) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case let error as NIOHTTPDecompression.DecompressionError where error == .limit && phase == .reading:
            if let exchange { refuseRest(exchange, tooLarge) }
        case is NIOHTTPDecompression.DecompressionError, is NIOHTTPDecompression.ExtraDecompressionError:
            guard phase == .reading, let exchange else { return abort() }
            refuseRest(exchange, .invalid(nil, "The body is not what its Content-Encoding says.", code: "invalid_body"))
        case is HTTPParserError:
            // What came before it gets its answer first.
            hasRubbish = true
            if phase == .idle || phase == .reading, parts.isEmpty { refuseRubbish() }
        default: abort()
        }
    }

    private func refuseRubbish() {
        if let exchange { dropBody(exchange) }
        let exchange = Exchange.unreadable()
        self.exchange = exchange
        refuseRest(exchange, .invalid(nil, "This is not HTTP/1.1.", code: "invalid_http"))
    }

    /// Answers before the body has come to its end; nothing that follows is read.
    private func refuseRest(_ exchange: Exchange, _ error: APIError) {
        exchange.isEndless = true
        refuse(exchange, error)
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
        dropBody(exchange)
        giveUpChoices(exchange)
        if isComplete, exchange.takesBody { server.metrics.count(exchange.route.label, status: 499) }
    }

    func elapsed(_ exchange: Exchange) -> UInt64 {
        UInt64(max(0, (NIODeadline.now() - exchange.startedAt).nanoseconds))
    }

    /// The answer is written: on to the next request.
    func endExchange() {
        let (closes, isEndless) = (exchange?.closes ?? true, exchange?.isEndless ?? true)
        exchange = nil
        if closes, isEndless { return linger() }
        guard !closes, !isStopping || !parts.isEmpty else { return abort() }
        enter(.idle)
        handleParts()
    }

    private func enter(_ phase: Phase) {
        self.phase = phase
        phaseSince = .now()
        headSince = nil
    }

    /// Ends our side: closing both while the client still sends would take the answer from it.
    private func linger() {
        guard let context, !isStopping else { return abort() }
        enter(.lingering)
        parts.removeAll()
        context.close(mode: .output, promise: nil)
        if holdsRead {
            holdsRead = false
            context.read()
        }
    }

    /// What stands above the answer's body. Decides whether the connection goes on after it.
    func head(_ exchange: Exchange) -> ResponseHead {
        if isStopping, parts.isEmpty { exchange.closes = true }
        return ResponseHead(fields: exchange.fields, date: server.date, closes: exchange.closes)
    }

    /// Holds the connection to its times. Each counts from its begin: no byte of the client's prolongs any.
    func sweep(_ now: NIODeadline) {
        let configuration = server.configuration
        func isOver(_ limit: Duration, since: NIODeadline) -> Bool { now - since >= TimeAmount(limit) }
        switch phase {
        case .closed: break
        case .idle:
            if isOver(configuration.idleTimeout, since: phaseSince) { return abort() }
            if let headSince, isOver(configuration.headTimeout, since: headSince) { abort() }
        case .reading:
            guard let exchange else { return abort() }
            guard exchange.takesBody else {
                if isOver(configuration.headTimeout, since: phaseSince) { abort() }
                return
            }
            guard isOver(configuration.bodyTimeout, since: phaseSince) else { return }
            refuseRest(exchange, APIError(status: 408, message: "The body took too long.", code: "request_timeout"))
        case .answering:
            guard let exchange else { return }
            // An answer in one piece that its client does not read.
            if exchange.isWriting, exchange.choices.isEmpty || !exchange.streams,
                isOver(configuration.unreadTimeout, since: exchange.wroteAt)
            {
                return abort()
            }
            keepAlive(exchange, now)
        case .lingering: if isOver(configuration.lingerTimeout, since: phaseSince) { abort() }
        }
    }

    /// Whether it may be closed to make room for others: it has shown no key.
    var isStranger: Bool { !isKnown && (phase == .idle || phase == .reading || phase == .lingering) }

    /// Since when it is open.
    let openedAt = NIODeadline.now()

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
        if hasRubbish, phase == .idle || phase == .reading, parts.isEmpty { return refuseRubbish() }
        if holdsRead, parts.isEmpty {
            holdsRead = false
            context?.read()
        }
    }

    private func begin(_ head: HTTPRequestHead) {
        let path = Route.path(of: head.uri)
        let route = Route(path)
        var plan = server.gate.plan(for: head, path: path, route)
        var labels = RequestLabels()
        do throws(APIError) { labels = try RequestLabels(head.headers) } catch {
            if case .refuse = plan {} else { plan = .refuse(error) }
        }
        let exchange = Exchange(head, plan: plan, route: route, labels: labels)
        exchange.cors = server.gate.cors(head)
        self.exchange = exchange
        enter(.reading)
        switch plan {
        case .complete, .tokens, .models, .model: isKnown = true
        case .refuse, .admin, .preflight, .text: if !server.hasKeys { isKnown = true }
        }
        guard exchange.isEndless else {
            // A client that asks before it sends a large body waits for this answer, some for a second.
            if head.headers.first(name: "expect")?.lowercased() == "100-continue" {
                if case .refuse(let error) = plan { return refuseRest(exchange, error) }
                var answer = ByteBuffer()
                answer.writeStaticString("HTTP/1.1 100 Continue\r\n\r\n")
                context?.writeAndFlush(wrapOutboundOut(answer), promise: nil)
            }
            return
        }
        switch plan {
        case .refuse(let error): refuse(exchange, error)
        case .complete where exchange.hasLength, .tokens where exchange.hasLength: refuse(exchange, tooLarge)
        default: break
        }
    }

    private var tooLarge: APIError {
        let message = "The body is larger than \(server.configuration.bodyLimit) bytes."
        return APIError(status: 413, message: message, code: "request_too_large")
    }

    private func add(_ part: ByteBuffer) {
        guard phase == .reading, let exchange else { return }
        let before = exchange.heldBytes
        let goesOn = exchange.add(part, limit: server.configuration.bodyLimit)
        server.heldBodies += exchange.heldBytes - before
        guard goesOn else { return refuseRest(exchange, tooLarge) }
        guard server.heldBodies > server.configuration.bodiesLimit, exchange.heldBytes > 0 else { return }
        dropBody(exchange)
        refuseRest(
            exchange, APIError(DoorFailure(.busy, "Too many bodies are being read; retry later.")))
    }

    /// Lets go of the body.
    func dropBody(_ exchange: Exchange) {
        server.heldBodies -= exchange.heldBytes
        exchange.body = nil
    }

    private func process() {
        guard let exchange else { return }
        enter(.answering)
        switch exchange.plan {
        case .refuse(let error): refuse(exchange, error)
        case .complete(let form, let client):
            guard exchange.bodyBytes <= server.configuration.bodyLimit else { return refuse(exchange, tooLarge) }
            complete(exchange, form, client)
        case .tokens(let form, let client):
            guard exchange.bodyBytes <= server.configuration.bodyLimit else { return refuse(exchange, tooLarge) }
            askTokens(exchange, form, client)
        case .admin(let path): askAdmin(exchange, path)
        case .models, .model: askModels(exchange)
        case .preflight: respond(exchange, status: 204, contentType: nil, fields: [], ByteBuffer())
        case .text(let text):
            respond(exchange, status: 200, contentType: "application/json", fields: [], ByteBuffer(string: text))
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
            exchange, status: answer.status, contentType: answer.contentType,
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
        respond(exchange, status: 200, contentType: "application/json", fields: [], body)
    }

    // MARK: Answers in one piece

    /// Answers with an error.
    func refuse(_ exchange: Exchange, _ error: APIError) {
        enter(.answering)
        dropBody(exchange)
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
            exchange, status: error.status, contentType: "application/json", fields: fields, body)
    }

    func respond(
        _ exchange: Exchange, status: Int, contentType: String?, fields: [(String, String)],
        _ body: ByteBuffer
    ) {
        let head = head(exchange)
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
        /// Whose text it carries; nil for an answer in one piece, and for a comment.
        var choice: Choice?
        var tokens = 0
        /// The backend waits to hear of it.
        var isAwaited = false
        /// The choice's last.
        var isEnd = false
        /// The answer's last.
        var isLast = false
    }

    /// Writes and flushes; the socket may take it before this returns.
    func send(_ exchange: Exchange, _ buffer: ByteBuffer, _ sent: Sent) {
        guard let context else { return }
        exchange.isWriting = true
        exchange.wroteAt = .now()
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { result in
            if case .failure = result { return self.abort() }
            guard self.exchange === exchange else { return }
            exchange.isWriting = false
            if exchange.choices.isEmpty {
                if sent.isLast { self.endExchange() }
            } else {
                self.server.metrics.writes.increment()
                self.accepted(exchange, sent)
            }
        }
        context.writeAndFlush(wrapOutboundOut(buffer), promise: promise)
        guard exchange.isWriting, self.exchange === exchange else { return }
        for choice in exchange.choices { choice.stream.setBlocked(true) }
    }
}
