public import Line
import Tables
public import Telemetry
public import Tokenization
import Wire

/// The tokenizer: requests come from ingests, are encoded, go to the worker with the most room, and come back as text.
///
/// A request's life is in the files of its stages: `Tokenizer+Encoding`, `Tokenizer+Workers` (the choice of a worker,
/// and of another when that is lost), `Tokenizer+Answers` (rows become text).
public struct Tokenizer: StationValue, ~Copyable {
    public typealias Command = TokenizerCommand

    /// Where workers dial.
    public static var workerLink: Int { 0 }
    /// The line upward to the ingests.
    public static var ingestLine: Int { 0 }

    public var outbox = Outbox<TokenizerCommand>()
    public var recordingFailure: String?
    public private(set) var isDrained = false

    let settings: TokenizerSettings
    let table: TokenTable
    var workers: Dispatcher
    var ingests: DialSide
    var streams = SlotTable<AnswerStream>()
    /// Streams by the key of the line above.
    var streamByUpperWork = KeyedSlots<UInt64>()
    /// By link.
    var trays: [UInt32: RowTray<AnswerStream>] = [:]
    var counters = TokenizerCounters()
    /// Bytes of text that this turn may still take care of at once: a lone short prompt is not worth a change of threads,
    /// a burst of them is for the pool.
    var affordableBytes = Tokenizer.bytesPerTurn
    private static var bytesPerTurn: Int { 512 }
    /// Workers with a session, and those whose leases are just being told as lost.
    var workerPeers: [UInt64: PeerInfo] = [:]
    /// That of the worker which joined last: what requests are held against while none is there.
    private var lastContextLength = 0
    /// No stream that is to be answered has an earlier deadline.
    var nextDeadline = UInt64.max
    private var probes: [UInt64: (link: UInt32, number: UInt64)] = [:]
    private var lastProbe: UInt64 = 0
    /// Works for whose events there is room.
    private var roomKept = 0
    // Memory that is used again.
    private var encodeFrame = Encode()
    var generateFrame = Generate()
    private var tokenBatch = TokenBatch()
    private var textBatch = TextBatch()

    /// - Parameter epoch: this process's boot: random, never reused.
    public init(_ settings: TokenizerSettings, table: TokenTable, epoch: UInt64) {
        self.settings = settings
        self.table = table
        var line = settings.line
        line.waitingLimit = .max
        workers = Dispatcher(
            role: .tokenizer, epoch: epoch, name: settings.name, settings: line, acceptedRoles: [.inferenceWorker],
            leases: true)
        workers.model = settings.modelName
        var patient = settings.line
        patient.stepAgeLimit = nil
        ingests = DialSide(
            role: .tokenizer, epoch: epoch, name: settings.name, model: settings.modelName, settings: patient)
        ingests.longestToken = UInt32(clamping: table.longest)
    }

    public var isReady: Bool { workers.peerCount > 0 && ingests.sessionCount > 0 }

    public mutating func withLine<Result>(_ line: Int, _ body: (inout DialSide) -> Result) -> Result? {
        line == Self.ingestLine ? body(&ingests) : nil
    }

    public mutating func withLink<Result>(_ link: Int, _ body: (inout Dispatcher) -> Result) -> Result? {
        link == Self.workerLink ? body(&workers) : nil
    }

    /// The longest context that any worker has, or that of the one which left last; 0 while none is known.
    var contextLength: Int { workers.largestContext.map { Int($0) } ?? lastContextLength }

    // MARK: Frames

    public mutating func received(_ frame: Span<UInt8>, from sender: Correspondent, now: LinkTime) {
        switch sender {
        case .below(_, let peer): received(frame, fromWorker: peer, now: now)
        case .above(_, let link): received(frame, fromIngest: link, now: now)
        }
    }

    private mutating func received(_ frame: Span<UInt8>, fromWorker peer: UInt64, now: LinkTime) {
        guard case .work(let header, let session) = workers.take(frame, from: peer, now: now) else { return }
        var batch = TokenBatch()
        swap(&batch, &tokenBatch)
        defer { swap(&batch, &tokenBatch) }
        do throws(WireError) {
            guard header.kind == .tokenBatch else { throw WireError(.unexpectedKind, offset: 3) }
            try batch.decode(frame, header: header)
        } catch {
            return workers.malformed(by: peer)
        }
        guard workers.trayTaken(batch.tray, in: session) else { return }
        takeRows(of: batch, from: session, now: now)
    }

    private mutating func received(_ frame: Span<UInt8>, fromIngest link: UInt32, now: LinkTime) {
        guard case .work(let header, _) = ingests.take(frame, on: link, now: now) else { return }
        do throws(WireError) {
            switch header.kind {
            case .encode:
                var encode = Encode()
                swap(&encode, &encodeFrame)
                defer { swap(&encode, &encodeFrame) }
                try encode.decode(frame, header: header)
                hold(encode, on: link, now: now)
            case .tokenize: answer(try Tokenize(decoding: frame, header: header), on: link, now: now)
            default: throw WireError(.unexpectedKind, offset: 3)
            }
        } catch {
            ingests.malformed(on: link)
        }
    }

    // MARK: Turns

    public mutating func tick(_ now: LinkTime) {
        workers.tick(now)
        ingests.tick(now)
        endOverdue(now)
    }

    /// Ends what nobody waits for any more, wherever it is.
    private mutating func endOverdue(_ now: LinkTime) {
        guard now >= nextDeadline else { return }
        nextDeadline = .max
        for key in streams.keys {
            guard let stream = streams[key], !stream.isAnswered else { continue }
            if now >= stream.deadline {
                failOverdue(key, stream, now)
            } else {
                nextDeadline = min(nextDeadline, stream.deadline)
            }
        }
    }

    public mutating func endTurn(_ now: LinkTime) {
        affordableBytes = Self.bytesPerTurn
        perform(now)
        updateSlots()
        // What is stated of an attempt stands in the spool before what follows from it goes out.
        outbox.commit()
        for tray in trays.values {
            outbox.flush(tray, through: &textBatch, on: Self.ingestLine, &ingests, now: now)
        }
        perform(now)
    }

    /// Room above follows room below, so that requests wait at ingest and nowhere else.
    private mutating func updateSlots() {
        let room = workers.room + settings.lookahead
        if room > roomKept {
            roomKept = room
            outbox.keepRoom(works: room)
        }
        // Without a worker nothing can be done; what cannot be recorded must not be.
        let takesWork = workers.peerCount > 0 && recordingFailure == nil
        let slots = takesWork ? UInt32(clamping: room) : 0
        if slots != ingests.slots { ingests.setSlots(slots) }
    }

    private mutating func perform(_ now: LinkTime) {
        var isBusy = true
        while isBusy {
            isBusy = false
            while let action = outbox.next(of: &workers, on: Self.workerLink, now: now) {
                isBusy = true
                perform(action, now)
            }
            while let action = outbox.next(of: &ingests, on: Self.ingestLine, now: now) {
                isBusy = true
                perform(action, now)
            }
        }
    }

    private mutating func perform(_ action: Dispatcher.Action, _ now: LinkTime) {
        switch action {
        case .dispatch(let work, let session, let handle): dispatch(work, to: session, handle: handle, now)
        case .lost(let work, let peer, let reason): lost(work, by: workerPeers[peer], reason, now)
        case .peerUp(let peer):
            workerPeers[peer.session.peer] = peer
            lastContextLength = Int(peer.contextLength)
            stateContext()
            outbox.log(.info, "tokenizer: worker joined", ["worker": peer.name, "slots": "\(peer.slots)"])
        case .peerDown(let peer, let status):
            if workerPeers[peer.session.peer]?.session == peer.session { workerPeers[peer.session.peer] = nil }
            stateContext()
            outbox.log(.info, "tokenizer: worker left", ["worker": peer.name, "reason": "\(status)"])
        case .probeReply(_, let number):
            if let probe = probes.removeValue(forKey: number) { ingests.probeReply(probe.number, on: probe.link) }
        case .control, .framesRead, .traysRead: break
        }
    }

    /// Tells the ingests how long a prompt may be, so that they refuse what cannot fit before it comes here.
    private mutating func stateContext() {
        ingests.contextLength = workers.largestContext ?? UInt32(clamping: lastContextLength)
    }

    private mutating func perform(_ action: DialSide.Action, _ now: LinkTime) {
        switch action {
        case .control, .reconnect, .windowOpened: break
        case .cancel(let work): cancel(work, now)
        case .sessionBegan(let link, let welcome):
            outbox.log(.info, "tokenizer: joined", ["ingest": welcome.name])
            trays[link] = RowTray(link: link, session: welcome.session)
        case .sessionEnded(let link, _, let status, let works):
            outbox.log(.info, "tokenizer: session ended", ["reason": "\(status)", "requests": "\(works.count)"])
            trays.removeValue(forKey: link)?.close()
            for work in works { abandon(work) }
        case .refused(_, let status): outbox.log(.warning, "tokenizer: ingest refuses", ["reason": "\(status)"])
        case .probe(let link, let number): probe(link, number)
        case .drained: isDrained = true
        }
    }

    private mutating func probe(_ link: UInt32, _ number: UInt64) {
        // Unanswered ones are forgotten: whoever asked has given up by then.
        if probes.count > 1024 { probes = [:] }
        for peer in workers.allPeers {
            lastProbe += 1
            probes[lastProbe] = (link, number)
            workers.probe(lastProbe, to: peer.session.peer)
        }
    }

    // MARK: The end

    /// Gives notice upward and finishes what is held.
    public mutating func drain(_ now: LinkTime) { ingests.drain(now: now) }

    /// What is held goes back to be dispatched elsewhere.
    public mutating func giveUp(_ now: LinkTime) {
        for key in streams.keys {
            guard let stream = streams[key], !stream.isAnswered else { continue }
            end(key, stream, .handedBack, status: .draining, now)
            cancelBelow(key)
        }
    }

    public func report(to mirror: MetricMirror) {
        mirror.gauge("requests_held", Double(streams.count), help: "Requests held now.")
        mirror.gauge("workers", Double(workers.peerCount), help: "Workers with a session.")
        mirror.gauge("requests_waiting", Double(workers.waitingCount), help: "Requests that wait for a worker.")
        mirror.count("requests", counters.requests, help: "Requests taken.")
        mirror.count("questions", counters.questions, help: "Questions about tokens.")
        mirror.count("prompt_tokens", counters.promptTokens, help: "Tokens of prompts.")
        mirror.count("tokens", counters.tokens, help: "Tokens that workers sent.")
        mirror.count("cancels", counters.cancels, help: "Cancels from above.")
        mirror.count("failures", counters.failures, help: "Requests that ended with an error.")
        mirror.count("lost_attempts", counters.lostAttempts, help: "Attempts of workers that were lost.")
        mirror.count("digest_mismatches", counters.digestMismatches, help: "Answers to another prompt; refused.")
        mirror.count("misplaced_rows", counters.misplacedRows, help: "Rows whose position was not the next.")
        mirror.count("unbounded_rows", counters.unboundedRows, help: "Rows with what was not asked for.")
        mirror.count("overdue", counters.overdue, help: "Requests whose time was over.")
    }
}
