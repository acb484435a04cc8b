public import Batching
public import Line
public import Telemetry
import Wire

/// What a worker asks of its engine's thread.
public enum EngineCommand: Sendable {
    case admit(EngineRequest)
    case cancel(UInt64)
    /// End every request as handed back.
    case handBackAll
}

/// The inference worker: takes requests from tokenizers, has the engine generate, sends each step's tokens as one tray
/// to each tokenizer, and states each attempt to the ledger.
public struct Worker: StationValue, ~Copyable {
    public typealias Command = EngineCommand

    /// The line upward to the tokenizers.
    public static var tokenizerLine: Int { 0 }

    public var outbox = Outbox<EngineCommand>()
    public var recordingFailure: String?
    public private(set) var isDrained = false

    private var tokenizers: DialSide
    private var requests: HeldRequests
    /// By link.
    private var trays: [UInt32: RowTray<WorkerRequest>] = [:]
    private var generateFrame = Generate()
    private var tokenBatch = TokenBatch()

    /// - Parameter epoch: this process's boot: random, never reused.
    public init(_ configuration: WorkerConfiguration, epoch: UInt64) {
        tokenizers = DialSide(
            role: .inferenceWorker, epoch: epoch, name: configuration.name, model: configuration.modelName,
            contextLength: UInt32(clamping: configuration.contextLength),
            slots: UInt32(clamping: configuration.slots), settings: configuration.line)
        requests = HeldRequests(worker: configuration.name, epoch: epoch)
        outbox.keepRoom(works: configuration.slots)
    }

    public var isReady: Bool { tokenizers.sessionCount > 0 }
    public var awaitsTick: Bool { tokenizers.awaitsTick }

    public mutating func withLine<Result>(_ line: Int, _ body: (inout DialSide) -> Result) -> Result? {
        line == Self.tokenizerLine ? body(&tokenizers) : nil
    }

    // MARK: Holding

    public mutating func received(_ frame: Span<UInt8>, from sender: Correspondent, now: LinkTime) {
        guard case .above(_, let link) = sender,
            case .work(let header, _) = tokenizers.take(frame, on: link, now: now)
        else { return }
        do throws(WireError) {
            guard header.kind == .generate else { throw WireError(.unexpectedKind, offset: 3) }
            try generateFrame.decode(frame, header: header)
            hold(generateFrame, on: link, now: now)
        } catch {
            tokenizers.malformed(on: link)
        }
    }

    private mutating func hold(_ generate: Generate, on link: UInt32, now: LinkTime) {
        // Credit is granted after the session's beginning was handled: whoever keeps to it finds a tray here.
        guard let tray = trays[link],
            case .accepted(let work) = tokenizers.accept(generate.handle, on: link, now: now)
        else { return }
        requests.hold(WorkerRequest(generate, work: work, tray: tray, receivedAt: now))
        outbox.command(.admit(EngineRequest(id: work, generate, receivedAt: now)))
    }

    private mutating func cancel(_ work: UInt64) {
        if requests.cancel(work) { outbox.command(.cancel(work)) }
    }

    // MARK: Steps and ends

    /// The engine has made a step, or ended requests between two.
    /// - Parameter endedAt: When the step ended.
    public mutating func stepped(_ rows: [EngineRow], endedAt: LinkTime, now: LinkTime) {
        tokenizers.stepped(now: now)
        requests.stepped()
        for index in rows.indices {
            guard let end = requests.take(rows[index], endedAt: endedAt, now: now) else { continue }
            if let attempt = end.attempt { outbox.record(attempt) }
            // Its session has ended: there is nobody to tell.
            if !end.isTold { tokenizers.ended(rows[index].id) }
        }
    }

    // MARK: Turns

    public mutating func tick(_ now: LinkTime) {
        // A worker that cannot record its attempts leaves the line, and joins again when it can.
        let isAway = recordingFailure != nil
        if isAway != tokenizers.isSuspended { tokenizers.suspend(isAway, now: now) }
        tokenizers.tick(now)
    }

    public mutating func endTurn(_ now: LinkTime) {
        perform(now)
        // What is stated of an attempt stands in the spool before its last row goes out.
        outbox.commit()
        for tray in trays.values {
            outbox.flush(tray, through: &tokenBatch, on: Self.tokenizerLine, &tokenizers, now: now)
        }
        perform(now)
    }

    private mutating func perform(_ now: LinkTime) {
        while let action = outbox.next(of: &tokenizers, on: Self.tokenizerLine, now: now) {
            switch action {
            case .control, .reconnect, .windowOpened: break
            case .cancel(let work): cancel(work)
            case .sessionBegan(let link, let welcome):
                outbox.log(.info, "worker: joined", ["tokenizer": welcome.name])
                trays[link] = RowTray(link: link, session: welcome.session)
            case .sessionEnded(let link, _, let status, let works):
                outbox.log(
                    .info, "worker: session ended", ["reason": "\(status)", "requests": "\(works.count)"])
                trays.removeValue(forKey: link)?.close()
                for work in works {
                    if requests.holds(work) { cancel(work) } else { tokenizers.ended(work) }
                }
            case .refused(_, let status):
                outbox.log(.warning, "worker: tokenizer refuses", ["reason": "\(status)"])
            case .probe(let link, let number): tokenizers.probeReply(number, on: link)
            case .drained: isDrained = true
            }
        }
    }

    // MARK: The end

    public mutating func drain(_ now: LinkTime) { tokenizers.drain(now: now) }

    /// What is held goes back to be dispatched elsewhere.
    public mutating func giveUp(_ now: LinkTime) { outbox.command(.handBackAll) }

    public func report(to mirror: MetricMirror) {
        mirror.gauge("slots", Double(tokenizers.slots), help: "Requests that can be held.")
        requests.report(to: mirror)
    }
}
