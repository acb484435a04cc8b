import Seeds
import Batching
import Line
import Wire
import WorkerService

/// A worker's life by chance: requests, cancels, deaths of the tokenizer, disks that fill, frames that are none, in an
/// order that a seed gives. After it, all that was held has ended, and the rules are held against what came out.
struct WorkerSimulation {
    struct Failure: Error, CustomStringConvertible {
        var seed: UInt64
        var rule: String

        var description: String {
            "\(rule); again: \(SimulationSeeds.replay(seed, filter: "WorkerSimulationTests"))"
        }
    }

    /// How often each thing happened, so that nothing is thought tested that never did.
    struct Coverage: CustomStringConvertible {
        var finished = 0
        var cancelled = 0
        var handedBack = 0
        var lost = 0
        var fullDisks = 0
        var drained = 0

        var description: String {
            "\(finished) finished, \(cancelled) cancelled, \(handedBack) handed back, \(lost) lost, "
                + "\(fullDisks) full disks, \(drained) drained"
        }
    }

    let seed: UInt64
    let bench: WorkerBench
    private(set) var coverage = Coverage()
    private var random: SeededGenerator
    private var requests: [(work: UInt64, prompt: [UInt32], limit: UInt32)] = []
    private var nextWork: UInt64 = 1

    init(seed: UInt64, sabotage: WorkerBench.Sabotage? = nil) throws {
        self.seed = seed
        random = SeededGenerator(seed: seed)
        bench = try WorkerBench(slots: 3)
        bench.sabotage = sabotage
    }

    mutating func run(actions: Int = 60) throws {
        for _ in 0..<actions { act() }
        finish()
        try check()
    }

    private mutating func act() {
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<6: submit()
        case 6..<14: bench.step()
        case 14, 15: if let request = requests.randomElement(using: &random) { bench.cancel(request.work) }
        case 16: bench.pass(20_000_000 * UInt64.random(in: 1...20, using: &random))
        case 17 where Bool.random(using: &random): bench.restartTokenizer()
        case 18 where Bool.random(using: &random): bench.disturb()
        case 19:
            bench.worker.recordingFailure = bench.worker.recordingFailure == nil ? "no space" : nil
            if bench.worker.recordingFailure != nil { coverage.fullDisks += 1 }
        default: bench.settle()
        }
    }

    private mutating func submit() {
        let prompt = (0..<Int.random(in: 1...8, using: &random)).map { _ in UInt32.random(in: 1..<100, using: &random) }
        let limit = UInt32.random(in: 1...12, using: &random)
        if case .refused = bench.submit(nextWork, prompt: prompt, maximumTokens: limit) { return }
        requests.append((nextWork, prompt, limit))
        nextWork += 1
    }

    /// The faults stop; half of the workers leave.
    private mutating func finish() {
        bench.worker.recordingFailure = nil
        if Bool.random(using: &random) {
            bench.worker.drain(bench.now)
            bench.settle()
            bench.run(steps: 2)
            bench.worker.giveUp(bench.now)
            bench.settle()
        }
        bench.run()
        bench.pass(2_000_000_000)
        bench.run()
    }

    // MARK: Rules

    private mutating func check() throws {
        let admitted = bench.commands.reduce(into: [UInt64]()) { found, command in
            if case .admit(let request) = command { found.append(request.id) }
        }
        try rule("every request that was held has one attempt", bench.events.count == admitted.count)
        try rule("rows follow one another", bench.misplacedRows == 0)
        try rule("nothing is held at the end", bench.heldCount == 0)
        try checkOrder()
        for event in bench.events {
            switch event.outcome {
            case .cancelled: coverage.cancelled += 1
            case .handedBack: coverage.handedBack += 1
            default: coverage.finished += 1
            }
        }
        coverage.lost += bench.lost.count
        if bench.isDrained { coverage.drained += 1 }
        for request in requests { try check(request) }
    }

    /// An attempt stands on disk before the next tray goes.
    private func checkOrder() throws {
        var isOpen = false
        for done in bench.done {
            switch done {
            case .record: isOpen = true
            case .commit: isOpen = false
            case .sent(.tokenBatch): try rule("what is stated stands on disk before its row goes out", !isOpen)
            case .sent: break
            }
        }
    }

    private func check(_ request: (work: UInt64, prompt: [UInt32], limit: UInt32)) throws {
        let attempts = bench.events.filter { $0.requestID.low == request.work }
        try rule("a request has one attempt at most", attempts.count <= 1)
        guard let answer = bench.answers[request.work] else { return }
        let alone = try WorkerBench(slots: 1)
        alone.submit(1, prompt: request.prompt, maximumTokens: request.limit)
        alone.run()
        let whole = alone.answers[1]?.tokens ?? []
        try rule("an answer is a prefix of the right one", whole.starts(with: answer.tokens))
        let produced = attempts.first.map { Int($0.producedTokens) } ?? 0
        try rule("what was told was produced", answer.tokens.count <= produced)
        guard answer.finish == .length || answer.finish == .stop else { return }
        try rule("a whole answer is all that was produced", answer.tokens == whole && produced == whole.count)
    }

    private func rule(_ text: String, _ holds: Bool) throws {
        if !holds { throw Failure(seed: seed, rule: text) }
    }
}
