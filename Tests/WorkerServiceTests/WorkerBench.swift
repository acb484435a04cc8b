import Batching
import Line
import Testing
import Wire
import WorkerService

/// A worker in virtual time: a tokenizer's dispatcher above it, and below it the real scheduler over the simulated
/// engine. Frames go through the codec; nothing else of a process is there.
final class WorkerBench {
    /// What the worker wanted done, as far as its order matters.
    enum Done: Equatable {
        case record(EventKind)
        case commit
        case sent(FrameKind)
    }

    /// What the tokenizer got of one request.
    struct Answer: Equatable {
        var tokens: [UInt32] = []
        var finish = FinishReason.none
        var status = Status.ok
    }

    /// What the harness does wrong, to see whether the rules find it.
    enum Sabotage: CaseIterable {
        case loseEvent
        case doubleEvent
        case commitLate
        case loseStep
        case doubleStep
        case swapRows
        case loseAdmission
    }

    var worker: Worker
    var above: Dispatcher
    /// Done once, as soon as there is an occasion.
    var sabotage: Sabotage?
    var now: LinkTime = 1_000_000_000
    private(set) var done: [Done] = []
    private(set) var events: [LedgerEvent] = []
    private(set) var commands: [EngineCommand] = []
    private(set) var answers: [UInt64: Answer] = [:]
    private(set) var lost: [UInt64] = []
    /// Rows that did not follow those before them.
    private(set) var misplacedRows = 0
    private var prompts: [UInt64: Generate] = [:]
    private var aboveBox = Outbox<Never>()
    private(set) var firstLink: UInt32 = 0
    private var scheduler: Scheduler
    private var engine: SimulatedEngine
    private var plan = StepPlan()
    private var result = StepResult()
    private var batch = TokenBatch()
    private let peer: UInt64 = 7

    init(slots: Int = 4) throws {
        worker = Worker(WorkerConfiguration(name: "w", modelName: "m", slots: slots, contextLength: 64), epoch: 0xbe10)
        above = Self.tokenizer(epoch: 0xab0e)
        engine = try SimulatedEngine(
            SimulatedEngine.Options(
                model: StepModel(accelerator: try #require(Accelerator.named("H100")), shape: .llama8B),
                tokenTable: Array(100..<200), vocabularySize: 1000, contextCells: 1024, maximumSequences: slots))
        scheduler = Scheduler(SchedulerSettings(for: engine, maximumRunning: slots, contextLength: 64))
        connect()
    }

    var isReady: Bool { worker.isReady }
    var isDrained: Bool { worker.isDrained }
    var heldCount: Int { worker.withLine(Worker.tokenizerLine) { $0.heldCount } ?? 0 }

    private static func tokenizer(epoch: UInt64) -> Dispatcher {
        Dispatcher(role: .tokenizer, epoch: epoch, name: "t", acceptedRoles: [.inferenceWorker], leases: true)
    }

    private func connect() {
        worker.withLine(Worker.tokenizerLine) { side in
            firstLink = side.addLink()
            side.connected(firstLink, now: now)
        }
        settle()
    }

    /// The tokenizer is killed; another process stands in its place.
    func restartTokenizer() {
        above = Self.tokenizer(epoch: above.epoch + 1)
        worker.withLine(Worker.tokenizerLine) { side in
            side.disconnected(firstLink, now: now)
            side.connected(firstLink, now: now)
        }
        settle()
    }

    /// Sends a request down.
    @discardableResult
    func submit(_ work: UInt64, prompt: [UInt32] = [1, 2, 3], maximumTokens: UInt32 = 4) -> Dispatcher.Submission {
        prompts[work] = Generate(
            handle: 0, requestID: RequestID(high: 0, low: work), ingestAttempt: 1, tokenizerAttempt: 2,
            digest: TokenDigest.of(prompt), sampling: SamplingParameters(),
            limits: GenerationLimits(maximumTokens: maximumTokens), tenant: "acme", model: "m", tokens: prompt)
        let submission = above.submit(work, model: "m", now: now)
        settle()
        return submission
    }

    func cancel(_ work: UInt64) {
        _ = above.cancel(work)
        settle()
    }

    /// Sends a frame of no known content on the worker's session.
    func disturb() {
        let frame: [UInt8] = [0x54, 0x46, 1]
        worker.received(frame.span, from: .above(line: 0, link: firstLink), now: now)
        settle()
    }

    /// Lets time pass in the steps of a reactor's ticks.
    func pass(_ nanoseconds: UInt64) {
        let end = now + nanoseconds
        while now < end {
            now += 20_000_000
            above.tick(now)
            worker.tick(now)
            settle()
        }
    }

    /// The engine makes steps until it has nothing to do.
    func run(steps limit: Int = .max) {
        var steps = 0
        while steps < limit, step() { steps += 1 }
    }

    @discardableResult
    func step() -> Bool {
        let steps = scheduler.plan(into: &plan, now: now)
        if steps {
            do { try engine.step(plan, into: &result) } catch { scheduler.abandon(error) }
            now += result.wait
            scheduler.complete(result)
        }
        var rows: [EngineRow] = []
        scheduler.takeRows(into: &rows)
        guard steps || !rows.isEmpty else { return false }
        report(rows)
        settle()
        return true
    }

    private func report(_ rows: [EngineRow]) {
        var rows = rows
        switch sabotage {
        case .loseStep where rows.contains { $0.token != nil }: sabotage = nil
        case .doubleStep where rows.contains { $0.token != nil && $0.end == nil }:
            sabotage = nil
            worker.stepped(rows, endedAt: now, now: now)
            worker.stepped(rows, endedAt: now, now: now)
        case .swapRows where rows.count > 1 && rows[0].token != rows[1].token:
            sabotage = nil
            (rows[0].token, rows[1].token) = (rows[1].token, rows[0].token)
            worker.stepped(rows, endedAt: now, now: now)
        default: worker.stepped(rows, endedAt: now, now: now)
        }
    }

    // MARK: Carrying

    /// Ends turns on both sides until nothing is left to do.
    func settle() {
        while true {
            let workerMoved = turnOfWorker()
            let tokenizerMoved = turnOfTokenizer()
            if !workerMoved, !tokenizerMoved { return }
        }
    }

    private func turnOfWorker() -> Bool {
        worker.endTurn(now)
        let box = worker.outbox
        worker.outbox.removeAll()
        for action in box.actions {
            switch action {
            case .send(let frame, _):
                let bytes = box.frame(frame).bytes.span
                if let kind = FrameHeader.kind(of: bytes) { done.append(.sent(kind)) }
                take(bytes)
            case .record(let event):
                done.append(.record(box.events[event].kind))
                record(box.events[event])
            case .commit:
                if sabotage == .commitLate { sabotage = nil } else { done.append(.commit) }
            case .command(let number):
                commands.append(box.commands[number])
                perform(box.commands[number])
            case .keepRoom, .listen, .log, .reconnect: break
            }
        }
        return !box.isEmpty
    }

    private func record(_ event: LedgerEvent) {
        switch sabotage {
        case .loseEvent: sabotage = nil
        case .doubleEvent:
            sabotage = nil
            events += [event, event]
        default: events.append(event)
        }
    }

    private func perform(_ command: EngineCommand) {
        switch command {
        case .admit where sabotage == .loseAdmission: sabotage = nil
        case .admit(let request): scheduler.admit(request)
        case .cancel(let id): scheduler.cancel(id)
        case .handBackAll: scheduler.handBackAll()
        }
    }

    private func take(_ frame: Span<UInt8>) {
        guard case .work(let header, let session) = above.take(frame, from: peer, now: now) else { return }
        do {
            try batch.decode(frame, header: header)
        } catch {
            Issue.record("the worker sent what is no tray: \(error)")
        }
        guard above.trayTaken(batch.tray, in: session) else { return }
        var offset = 0
        for row in batch.rows {
            let tokens = batch.tokens[offset..<(offset + Int(row.tokenCount))]
            offset += Int(row.tokenCount)
            guard let work = above.lease(of: row.handle, in: session) else { continue }
            #expect(row.digest == 0 || row.digest == prompts[work]?.digest)
            if !tokens.isEmpty, Int(row.position) != answers[work]?.tokens.count ?? 0 { misplacedRows += 1 }
            answers[work, default: Answer()].tokens += tokens
            answers[work]?.finish = row.finish
            answers[work]?.status = row.status
            if row.finish == .handedBack {
                above.handedBack(row.handle, in: session)
            } else if row.finish != .none {
                above.finished(row.handle, in: session)
            }
        }
    }

    private func turnOfTokenizer() -> Bool {
        while let action = aboveBox.next(of: &above, on: 0, now: now) {
            switch action {
            case .dispatch(let work, let session, let handle):
                guard var generate = prompts[work] else { continue }
                generate.handle = handle
                aboveBox.send(on: 0, session, &above, now: now) { frame, version in
                    do { try generate.encode(into: &frame, session: session.session, version: version) } catch {
                        Issue.record("a request does not fit a frame: \(error)")
                    }
                }
            case .lost(let work, _, _): lost.append(work)
            case .control, .peerUp, .peerDown, .probeReply, .framesRead, .traysRead: break
            }
        }
        let box = aboveBox
        aboveBox.removeAll()
        for case .send(let frame, _) in box.actions {
            worker.received(box.frame(frame).bytes.span, from: .above(line: 0, link: firstLink), now: now)
        }
        return !box.isEmpty
    }
}
