public import AdminDoor
public import Keys
public import OpenAIDoor
import Station
import Tables
import Telemetry
import Transport
import Wire

/// The last that an HTTP client hears of a request.
struct HTTPEnd {
    var stream: DoorStream
    var request: IngestRequest
    var finish: FinishReason
    var status: Status
    var message: String
    var text: ArraySlice<UInt8>
    var tokenCount: Int
    var hops: [HopRecord]
}

/// An answer that is complete, but for which the client's socket has no room.
struct UnreadAnswer {
    var end: HTTPEnd
    /// How many tokens the socket had taken when that was last looked at.
    var deliveredTokens: Int
    /// When they last became more, on the monotonic clock.
    var movedAt: UInt64
}

/// The HTTP door's requests, as the line sees them.
extension IngestLoop {
    func take(_ request: DoorRequest, grant: KeyRing.Grant?, to stream: DoorStream) {
        let now = MonotonicClock.now()
        let body = seeded(RequestBody(request), hasSeed: request.sampling.seed != nil)
        let work = IngestRequest(
            requestID: RequestID(high: request.id.high, low: request.id.low), tenant: request.tenant, body: body,
            client: .http(stream), streams: request.streams, firstAttempt: firstAttempt, receivedAt: now,
            label: request.label, grant: grant)
        guard request.idempotencyKey.isEmpty else {
            let hasSeed = request.sampling.seed != nil
            if let refusal = claim(work, key: request.idempotencyKey, hasSeed: hasSeed, now: now) {
                refuse(stream, refusal)
            }
            return
        }
        switch admit(work) {
        case .success(let work): httpWorks[stream.number] = work
        case .failure(let refusal): refuse(stream, refusal)
        }
    }

    func refuse(_ stream: DoorStream, _ refusal: Refusal) {
        let parameter = refusal.status == .unknownModel ? "model" : nil
        stream.finish(
            .failed(
                DoorFailure(
                    DoorFailure.Kind(refusal.status), refusal.message, parameter: parameter,
                    retryAfterMilliseconds: refusal.retryAfterMilliseconds)))
    }

    func cancel(stream number: UInt64) {
        if let work = httpWorks[number] { cancel(work) }
        if let unread = unread.removeValue(forKey: number) { settle(leaving: unread) }
    }

    /// Ends an answer once it is settled. If its client is behind, the end waits until the socket has taken the text:
    /// what was never sent is not delivered.
    func finish(_ end: HTTPEnd) {
        // One of several answers is delivered with the others, or not at all.
        let isHeld = end.stream.isHeld && end.finish != .failed
        guard end.request.streams || isHeld, end.stream.isBehind,
            end.stream.pushAwaited(end.text, tokenCount: end.tokenCount)
        else {
            // A failure in place of a whole answer brings none of it.
            let isWithout = end.finish == .failed && !end.request.streams
            end.request.deliveredTokens = isWithout ? 0 : UInt32(clamping: end.request.generated.count)
            settle(end.request, end.finish, end.status, end.message)
            return httpEnds.append(end)
        }
        var rest = end
        rest.text = []
        rest.tokenCount = 0
        unread[end.stream.number] = UnreadAnswer(
            end: rest, deliveredTokens: end.stream.deliveredTokens, movedAt: MonotonicClock.now())
    }

    /// The socket has taken all text of an answer that waited for that.
    func accepted(stream number: UInt64) {
        guard let end = unread.removeValue(forKey: number)?.end else { return }
        end.request.deliveredTokens = UInt32(clamping: end.request.generated.count)
        settle(end.request, end.finish, end.status, end.message)
        httpEnds.append(end)
    }

    /// The client has left before it had all.
    private func settle(leaving unread: UnreadAnswer) {
        let end = unread.end
        end.request.deliveredTokens = UInt32(clamping: end.stream.deliveredTokens)
        settle(end.request, end.finish == .failed ? .failed : .cancelled, end.status, end.message)
    }

    /// Gives up answers of which the socket has taken nothing for too long; all of them when nothing may wait.
    func endUnread(_ now: UInt64, all: Bool = false) {
        for (number, answer) in unread {
            let delivered = answer.end.stream.deliveredTokens
            if !all, answer.end.stream.isHeld || delivered > answer.deliveredTokens {
                unread[number]?.deliveredTokens = delivered
                unread[number]?.movedAt = now
            } else if all || now > answer.movedAt + Self.unreadNanoseconds {
                unread[number] = nil
                // In this order: what the socket takes after it is given up is a gift.
                settle(leaving: answer)
                answer.end.stream.abandon()
            }
        }
    }

    private static var unreadNanoseconds: UInt64 { 60_000_000_000 }

    func flushHTTP() {
        for end in httpEnds { end.stream.finish(end.outcome, text: end.text, tokenCount: end.tokenCount) }
        httpEnds.removeAll(keepingCapacity: true)
    }
}

extension HTTPEnd {
    var outcome: DoorEnd {
        guard finish == .stop || finish == .length else {
            let kind: DoorFailure.Kind = finish == .failed ? DoorFailure.Kind(status) : .unavailable
            return .failed(DoorFailure(kind, finish == .failed ? message : "The request was cancelled."))
        }
        let now = MonotonicClock.now()
        return .finished(
            DoorFinish(
                reason: finish == .stop ? .stop : .length,
                usage: DoorUsage(
                    promptTokens: Int(request.promptTokens), completionTokens: request.generated.count,
                    cachedTokens: Int(request.cachedTokens)),
                hops: hops.map { DoorHop($0, now: now) }))
    }
}

extension DoorHop {
    /// A record that lacks its time of sending gets `now`.
    init(_ hop: HopRecord, now: UInt64) {
        self.init(
            station: "\(hop.station)", phase: "\(hop.phase)", receivedAt: hop.receivedAt, begunAt: hop.begunAt,
            sentAt: hop.sentAt == 0 ? now : hop.sentAt, uncertainty: UInt64(hop.uncertainty))
    }
}

extension DoorFailure.Kind {
    init(_ status: Status) {
        switch status {
        case .invalidRequest: self = .invalidRequest
        case .unauthenticated: self = .unauthenticated
        case .forbidden: self = .forbidden
        case .keyMismatch: self = .keyMismatch
        case .rateLimited: self = .rateLimited
        case .deadlineExceeded: self = .deadlineExceeded
        case .unknownModel: self = .unknownModel
        case .promptTooLong: self = .contextLengthExceeded
        case .busy: self = .busy
        case .conflict: self = .conflict
        case .unavailable, .draining, .timedOut: self = .unavailable
        default: self = .internalError
        }
    }
}

extension RequestBody {
    init(_ request: DoorRequest) {
        var form = PromptForm.tokens
        var strings: [String] = []
        var tokens: [UInt32] = []
        switch request.prompt {
        case .chat(let messages):
            form = .chat
            strings = messages.flatMap { [$0.role, $0.content] }
        case .text(let text):
            form = .text
            strings = [text]
        case .tokens(let ids): tokens = ids
        case .messages(let text):
            form = .messages
            strings = [text]
        }
        let sampling = request.sampling
        self.init(
            form: form,
            sampling: SamplingParameters(
                seed: sampling.seed ?? 0, temperature: sampling.temperature, topP: sampling.topP, minP: sampling.minP,
                topK: sampling.topK, repetitionPenalty: sampling.repetitionPenalty,
                presencePenalty: sampling.presencePenalty, frequencyPenalty: sampling.frequencyPenalty),
            limits: GenerationLimits(
                maximumTokens: request.maximumTokens ?? 0, minimumTokens: request.minimumTokens,
                ignoreEndOfSequence: request.ignoresEndOfSequence),
            wantsHops: request.wantsHops, model: request.model, strings: strings, tokens: tokens, stops: request.stops)
        options.priority = request.priority
        options.timeLeft = request.timeoutNanoseconds
        options.stopTokens = request.stopTokens
        options.logitBias = request.logitBias.map { LogitBias(token: $0.token, bias: $0.bias) }
        options.cacheSalt = request.cacheSalt
        template.arguments = request.templateArguments
        template.continuesFinalMessage = request.continuesFinalMessage
        template.omitsGenerationPrompt = request.omitsGenerationPrompt
    }
}

/// The line, as the HTTP door uses it.
public struct LineBackend: CompletionBackend {
    private let loop: IngestLoop
    private let probeSeconds: Double
    private let pendingEvents: UInt64

    /// - Parameters:
    ///   - probeSeconds: How long a health probe may take to come back.
    ///   - pendingEvents: Ledger events that may wait for accounting before the health is bad.
    public init(_ loop: IngestLoop, probeSeconds: Double = 2, pendingEvents: UInt64 = 100_000) {
        self.loop = loop
        self.pendingEvents = pendingEvents
        self.probeSeconds = probeSeconds
    }

    public func models() async -> [DoorModel] { await loop.models.map { DoorModel(id: $0) } }

    public func tokens(
        of question: DoorTokenQuestion, grant: KeyRing.Grant?
    ) async -> Result<DoorTokens, DoorFailure> {
        await loop.tokens(of: question, grant: grant)
    }

    public func submit(_ request: DoorRequest, grant: KeyRing.Grant?, to stream: DoorStream) {
        let loop = loop
        loop.reactor.post { loop.assumeIsolated { $0.take(request, grant: grant, to: stream) } }
    }

    public func accepted(_ stream: DoorStream) {
        let loop = loop
        let number = stream.number
        loop.reactor.post { loop.assumeIsolated { $0.accepted(stream: number) } }
    }

    public func cancel(_ stream: DoorStream) {
        let loop = loop
        let number = stream.number
        loop.reactor.post { loop.assumeIsolated { $0.cancel(stream: number) } }
    }

    public func probe() async -> HealthReport {
        if let failure = await loop.ledgerFailure(pendingLimit: pendingEvents) { return .failing(failure) }
        guard await loop.hasTokenizers else { return .failing("no tokenizer has a session") }
        return await loop.probe(seconds: probeSeconds)
            ? .ok : .failing("no probe came back from a worker within \(probeSeconds) s")
    }
}
