import Line
import Testing
import Tokenization
import TokenizerService
import Wire

/// A tokenizer in virtual time: an ingest's dispatcher above it, workers' dialling sides below. Prompts are token ids,
/// and a worker's next token is a function of the original prompt and the token's index. Frames go through the codec.
final class TokenizerBench {
    /// A worker: holds requests and makes one token for each when it is told to.
    final class Worker {
        struct Held {
            var generate: Generate
            var made: [UInt32]
            var hasRow = false
        }

        enum Lie {
            case digest
            case position
            case vocabulary
        }

        let peer: UInt64
        var side: DialSide
        var link: UInt32 = 0
        var session: UInt32 = 0
        var held: [UInt64: Held] = [:]
        var cancelled: [UInt64] = []
        var lie: Lie?
        var box = Outbox<Never>()

        init(peer: UInt64, epoch: UInt64, slots: UInt32) {
            self.peer = peer
            side = DialSide(
                role: .inferenceWorker, epoch: epoch, name: "w\(peer)", model: "m", contextLength: 64, slots: slots)
        }
    }

    /// What ingest got of one request.
    struct Answer: Equatable {
        var tokens: [UInt32] = []
        var text = ""
        var finish = FinishReason.none
        var status = Status.ok
    }

    static let vocabulary = 256
    var tokenizer: Tokenizer
    var above = Dispatcher(
        role: .ingest, epoch: 0x1a6e, name: "i", acceptedRoles: [.tokenizer], leases: true)
    private(set) var workers: [Worker] = []
    private(set) var answers: [UInt64: Answer] = [:]
    private(set) var events: [LedgerEvent] = []
    private(set) var lost: [UInt64] = []
    /// Prompts are encoded only when this is false.
    var holdsEncoding = false
    var now: LinkTime = 1_000_000_000
    private var encodes: [UInt64: Encode] = [:]
    private var waiting: [TokenizerCommand] = []
    private var aboveBox = Outbox<Never>()
    private var link: UInt32 = 0
    private var batch = TextBatch()
    private var generateFrame = Generate()

    init() {
        let pieces = (0..<Self.vocabulary).map { Array("\($0) ".utf8) }
        tokenizer = Tokenizer(
            TokenizerSettings(name: "t", modelName: "m", lookahead: 4), table: TokenTable(pieces: pieces), epoch: 0x70ce
        )
        tokenizer.withLine(Tokenizer.ingestLine) { side in
            link = side.addLink()
            side.connected(link, now: now)
        }
        settle()
    }

    var isReady: Bool { tokenizer.isReady }
    var isDrained: Bool { tokenizer.isDrained }
    /// Requests that ingest may still send.
    var room: Int { above.room }

    /// A worker joins.
    @discardableResult
    func join(slots: UInt32 = 4) -> Worker {
        let number = UInt64(workers.count + 1)
        let worker = Worker(peer: number, epoch: 0x3000 + number, slots: slots)
        workers.append(worker)
        worker.link = worker.side.addLink()
        worker.side.connected(worker.link, now: now)
        settle()
        return worker
    }

    /// A worker is killed: its session ends, and it says nothing more.
    func kill(_ worker: Worker) {
        tokenizer.withLink(Tokenizer.workerLink) { $0.sendFailed(to: worker.peer) }
        worker.held = [:]
        workers.removeAll { $0 === worker }
        settle()
    }

    static func token(_ prompt: [UInt32], _ index: Int) -> UInt32 {
        (prompt.reduce(17) { $0 &* 31 &+ $1 } &+ UInt32(index) &* 7) % UInt32(vocabulary)
    }

    static func whole(_ prompt: [UInt32], _ count: Int) -> [UInt32] { (0..<count).map { token(prompt, $0) } }

    @discardableResult
    func submit(
        _ work: UInt64, prompt: [UInt32] = [1, 2, 3], maximumTokens: UInt32 = 5, timeLeft: UInt64 = 0
    ) -> Dispatcher.Submission {
        var body = RequestBody(
            form: .tokens, sampling: SamplingParameters(), limits: GenerationLimits(maximumTokens: maximumTokens),
            model: "m", tokens: prompt)
        body.options.timeLeft = timeLeft
        encodes[work] = Encode(
            handle: 0, requestID: RequestID(high: 0, low: work), ingestAttempt: 1, tenant: "acme", body: body)
        let submission = above.submit(work, model: "m", now: now)
        settle()
        return submission
    }

    func cancel(_ work: UInt64) {
        _ = above.cancel(work)
        settle()
    }

    func pass(_ nanoseconds: UInt64) {
        let end = now + nanoseconds
        while now < end {
            now += 20_000_000
            above.tick(now)
            tokenizer.tick(now)
            for worker in workers { worker.side.tick(now) }
            settle()
        }
    }

    /// Every worker makes one token of each request that it holds.
    func step() {
        for worker in workers { step(worker) }
        settle()
    }

    private func step(_ worker: Worker) {
        guard !worker.held.isEmpty, let tray = worker.side.trayToSend(on: worker.link) else { return }
        worker.side.stepped(now: now)
        var rows = TokenBatch()
        rows.tray = tray
        var ended: [UInt64] = []
        for (work, request) in worker.held.sorted(by: { $0.key < $1.key }) {
            guard let origin = worker.side.origin(of: work) else { continue }
            let generate = request.generate
            let prompt = Array(generate.tokens.prefix(generate.tokens.count - Int(generate.generatedCount)))
            let index = Int(generate.generatedCount) + request.made.count
            let isCancelled = worker.cancelled.contains(work)
            var token = Self.token(prompt, index)
            if worker.lie == .vocabulary { token = UInt32(Self.vocabulary) }
            let isLast = index + 1 == Int(generate.limits.maximumTokens)
            rows.rows.append(
                TokenRow(
                    handle: origin.handle, tokenCount: isCancelled ? 0 : 1,
                    finish: isCancelled ? .cancelled : isLast ? .length : .none, status: .ok,
                    position: UInt32(index + (worker.lie == .position ? 1 : 0)), cachedTokens: 0,
                    digest: request.hasRow ? 0 : generate.digest &+ (worker.lie == .digest ? 1 : 0)))
            if !isCancelled {
                rows.tokens.append(token)
                worker.held[work]?.made.append(token)
            }
            worker.held[work]?.hasRow = true
            if isLast || isCancelled { ended.append(work) }
        }
        worker.box.send(on: 0, worker.link, session: worker.session, &worker.side, now: now) { frame, version in
            rows.encode(into: &frame, session: worker.session, version: version)
        }
        for work in ended {
            worker.held[work] = nil
            worker.side.ended(work)
        }
    }

    func run(steps: Int = 100) { for _ in 0..<steps { step() } }

    /// What waits to be encoded is encoded.
    func encode() {
        let commands = waiting
        waiting = []
        for command in commands { perform(command) }
        settle()
    }

    // MARK: Carrying

    func settle() {
        while true {
            var moved = turnOfTokenizer()
            moved = turnOfIngest() || moved
            for worker in workers { moved = turn(of: worker) || moved }
            if !moved { return }
        }
    }

    private func turnOfTokenizer() -> Bool {
        tokenizer.endTurn(now)
        let box = tokenizer.outbox
        tokenizer.outbox.removeAll()
        for action in box.actions {
            switch action {
            case .send(let frame, .above): take(box.frame(frame).bytes)
            case .send(let frame, .below(_, let peer)):
                if let worker = workers.first(where: { $0.peer == peer }) { take(box.frame(frame).bytes, by: worker) }
            case .record(let event): events.append(box.events[event])
            case .command(let number):
                if holdsEncoding { waiting.append(box.commands[number]) } else { perform(box.commands[number]) }
            case .commit, .keepRoom, .listen, .log, .reconnect: break
            }
        }
        return !box.isEmpty
    }

    private func perform(_ command: TokenizerCommand) {
        switch command {
        case .encode(let key, .tokens(let ids), _, _, _): tokenizer.encoded(key, .success(ids), now: now)
        case .encode(let key, _, _, _, _): tokenizer.encoded(key, .failure(.empty), now: now)
        case .resume(let key, var steps, _, _): tokenizer.resumed(key, steps.run(), now: now)
        case .takeBack, .tokenize: break
        }
    }

    private func take(_ bytes: [UInt8]) {
        guard case .work(let header, let session) = above.take(bytes.span, from: 1, now: now) else { return }
        do { try batch.decode(bytes.span, header: header) } catch {
            Issue.record("the tokenizer sent what is no tray: \(error)")
            return
        }
        guard above.trayTaken(batch.tray, in: session) else { return }
        var (token, byte) = (0, 0)
        for row in batch.rows {
            let tokens = batch.tokens[token..<(token + Int(row.tokenCount))]
            let text = batch.text[byte..<(byte + Int(row.textLength))]
            token += tokens.count
            byte += text.count
            guard let work = above.lease(of: row.handle, in: session) else { continue }
            if !tokens.isEmpty { #expect(Int(row.position) == answers[work]?.tokens.count ?? 0) }
            answers[work, default: Answer()].tokens += tokens
            if row.finish != .failed { answers[work]?.text += String(decoding: text, as: UTF8.self) }
            answers[work]?.finish = row.finish
            answers[work]?.status = row.status
            if row.finish == .handedBack {
                above.handedBack(row.handle, in: session)
            } else if row.finish != .none {
                above.finished(row.handle, in: session)
            }
        }
    }

    private func turnOfIngest() -> Bool {
        while let action = aboveBox.next(of: &above, on: 0, now: now) {
            switch action {
            case .dispatch(let work, let session, let handle):
                guard var encode = encodes[work] else { continue }
                encode.handle = handle
                do {
                    try aboveBox.send(on: 0, session, &above, now: now) { frame, version throws(WireError) in
                        try encode.encode(into: &frame, session: session.session, version: version)
                    }
                } catch { Issue.record("a request does not fit a frame: \(error)") }
            case .lost(let work, _, _): lost.append(work)
            default: break
            }
        }
        let box = aboveBox
        aboveBox.removeAll()
        for case .send(let frame, _) in box.actions {
            tokenizer.received(box.frame(frame).bytes.span, from: .above(line: 0, link: link), now: now)
        }
        return !box.isEmpty
    }

    private func take(_ bytes: [UInt8], by worker: Worker) {
        guard case .work(let header, _) = worker.side.take(bytes.span, on: worker.link, now: now) else { return }
        do {
            try generateFrame.decode(bytes.span, header: header)
        } catch {
            Issue.record("the tokenizer sent what is no request: \(error)")
            return
        }
        if case .accepted(let work) = worker.side.accept(generateFrame.handle, on: worker.link, now: now) {
            worker.held[work] = Worker.Held(generate: generateFrame, made: [])
        }
    }

    private func turn(of worker: Worker) -> Bool {
        while let action = worker.box.next(of: &worker.side, on: 0, now: now) {
            switch action {
            case .sessionBegan(_, let welcome): worker.session = welcome.session
            case .sessionEnded(_, _, _, let works):
                for work in works {
                    worker.held[work] = nil
                    worker.side.ended(work)
                }
            case .cancel(let work): worker.cancelled.append(work)
            default: break
            }
        }
        let box = worker.box
        worker.box.removeAll()
        for case .send(let frame, _) in box.actions {
            tokenizer.received(box.frame(frame).bytes.span, from: .below(link: 0, peer: worker.peer), now: now)
        }
        return !box.isEmpty
    }
}
