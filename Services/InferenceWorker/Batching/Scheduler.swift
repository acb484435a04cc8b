/// Continuous batching over one engine with a unified KV cache, as a value: requests go in, plans of steps and rows
/// come out.
///
/// Every step carries one token of each request that decodes. What the token budget leaves goes to prompts in chunks:
/// a quarter to the oldest one, so that each comes to its end, the rest to those with the least left, so that long
/// prompts do not delay short ones. A request runs when its prompt has cells; when the cells run out, the youngest is
/// preempted and later computed again, which its rows do not show. Finished requests keep their keys and values until
/// the cells are needed, the least recently used going first, and a prompt that begins as another of its owner does shares
/// that one's cells; those of other owners only as far as both begin as a prefix that the operator listed.
///
/// The order of calls is `plan`, the engine's step, `complete` (or `abandon`); `admit` and `cancel` may come at any
/// time.
public struct Scheduler: Sendable {
    public let settings: SchedulerSettings
    var slots: [SequenceSlot]
    /// Slots that run, the oldest request first.
    var running: [Int] = []
    /// Slots that hold nothing.
    var free: [Int]
    /// Slots of finished requests, the least recently used first; some stand in it no more, or again later.
    var retained = RetentionOrder()
    /// Slots that hold something, by their owner and how their tokens begin.
    var prefixes: PrefixIndex
    /// Those of them that begin as a common prefix does, whoever owns them.
    var commonPrefixes: PrefixIndex
    /// The one whose turn is next first.
    var waiting: [WaitingWork] = []
    var pool: CellPool
    /// For the start of the next step.
    var operations: [SequenceOperation] = []
    /// Slots in the step that is under way, in the plan's order.
    var planned: [Int] = []
    /// Tokens of theirs in it.
    var plannedTokens = 0
    /// Those of `planned` for which a token is chosen, in the order of the plan's samples.
    var sampled: [Int] = []
    var load = SchedulerLoad()
    /// Whether some of `running` run no more.
    var hasEnded = false
    /// No request that is held has an earlier deadline.
    private var nextDeadline = UInt64.max
    private var arrivals: UInt64 = 0
    private var rows: [EngineRow] = []

    public init(_ settings: SchedulerSettings) {
        self.settings = settings.normalized()
        slots = Array(repeating: SequenceSlot(), count: self.settings.maximumSequences)
        prefixes = PrefixIndex(slots: self.settings.maximumSequences, length: self.settings.minimumSharedTokens)
        commonPrefixes = prefixes
        free = Array((0..<self.settings.maximumSequences).reversed())
        pool = CellPool(count: self.settings.contextCells)
    }

    /// Whether a step, or a row not yet taken, would come next.
    public var isIdle: Bool { running.isEmpty && waiting.isEmpty && rows.isEmpty }

    public var currentLoad: SchedulerLoad {
        var load = load
        load.running = running.count
        load.waiting = waiting.count
        load.cells = pool.capacity
        load.cellsRunning = pool.pinnedCount
        load.cellsRetained = pool.retainedCount
        return load
    }

    /// Takes a request. One that cannot run, or has nothing left to generate, gets its only row at once.
    public mutating func admit(_ request: EngineRequest) {
        arrivals += 1
        let work = Work(request, arrival: arrivals)
        if let end = endBeforeStart(of: request) {
            appendEnd(end, of: work, generated: request.generatedCount)
        } else {
            nextDeadline = min(nextDeadline, work.deadline)
            wait(WaitingWork(work: work, tokens: request.tokens, owner: request.owner))
        }
    }

    /// Puts the newest request where its turn is: it changes turns with its tenant's own of lesser priority, so that no
    /// other tenant's turn changes. One that has begun keeps its turn.
    private mutating func wait(_ entry: WaitingWork) {
        waiting.append(entry)
        var place = waiting.count - 1
        for index in waiting.indices.dropLast().reversed() where waiting[index].work.tenant == entry.work.tenant {
            guard waiting[index].work.priority > entry.work.priority, !waiting[index].work.hasBegun else { break }
            let turn = waiting[index].work.arrival
            waiting[index].work.arrival = waiting[place].work.arrival
            waiting[place].work.arrival = turn
            waiting.swapAt(index, place)
            place = index
        }
    }

    /// Ends what nobody waits for any more.
    mutating func endOverdue(now: UInt64) {
        guard now >= nextDeadline else { return }
        nextDeadline = .max
        for index in waiting.indices.reversed() {
            if now >= waiting[index].work.deadline {
                endWaiting(at: index, EarlyEnd.overdue.end)
            } else {
                nextDeadline = min(nextDeadline, waiting[index].work.deadline)
            }
        }
        for slot in running.reversed() {
            if now >= slots[slot].work.deadline {
                endRunning(slot, .overdue)
            } else {
                nextDeadline = min(nextDeadline, slots[slot].work.deadline)
            }
        }
    }

    private func endBeforeStart(of request: EngineRequest) -> GenerationEnd? {
        if request.promptCount == 0 { return .failed(.emptyPrompt) }
        if request.promptCount >= settings.contextLength {
            return .failed(
                .promptTooLong(tokens: request.promptCount, contextLength: settings.contextLength))
        }
        if let token = request.tokens.first(where: { $0 >= settings.vocabularySize }) {
            return .failed(.unknownToken(token))
        }
        if request.generatedCount >= request.limits.maximumTokens || request.tokens.count >= settings.contextLength {
            return .length
        }
        return nil
    }

    /// Ends a request with a row that says so: at once, or, if it is in the step under way, when that is complete.
    ///
    /// - Returns: false if no such request is held.
    @discardableResult
    public mutating func cancel(_ id: UInt64) -> Bool {
        if let index = waiting.firstIndex(where: { $0.work.id == id }) {
            endWaiting(at: index, .cancelled)
            return true
        }
        guard let slot = running.first(where: { slots[$0].work.id == id }) else { return false }
        endRunning(slot, .cancelled)
        return true
    }

    /// Ends all that is held, as given back.
    public mutating func handBackAll() {
        while !waiting.isEmpty { endWaiting(at: waiting.count - 1, .handedBack) }
        for slot in running.reversed() { endRunning(slot, .handedBack) }
    }

    private mutating func endWaiting(at index: Int, _ end: GenerationEnd) {
        let entry = waiting.remove(at: index)
        appendEnd(end, of: entry.work, generated: entry.tokens.count - entry.work.promptCount)
    }

    private mutating func endRunning(_ slot: Int, _ end: EarlyEnd) {
        if slots[slot].planned > 0 {
            if slots[slot].work.ending == nil { slots[slot].work.ending = end }
        } else {
            let work = slots[slot].work
            let generated = slots[slot].tokens.count - work.promptCount
            retain(slot)
            appendEnd(end.end, of: work, generated: generated)
        }
    }

    private mutating func appendEnd(_ end: GenerationEnd, of work: Work, generated: Int) {
        rows.append(
            EngineRow(
                id: work.id, token: nil, index: UInt32(clamping: generated),
                details: RowDetails(end: end, of: work)))
    }

    /// Takes in what the planned step made. The rows of `takeRows` then have its tokens and ends.
    ///
    /// A step's energy is split over its requests by the tokens that each had in it; shares are whole microjoules and
    /// add up to the step's exactly.
    public mutating func complete(_ result: borrowing StepResult) {
        guard result.samples.count == sampled.count else {
            abandon(.failed("the engine made \(result.samples.count) tokens of \(sampled.count)"))
            return
        }
        load.steps += 1
        var shares = EnergyShares(result.energy, tokens: plannedTokens)
        var sample = 0
        for slot in planned {
            let endsEarly = slots[slot].noteComputed(&shares)
            if sample < sampled.count, sampled[sample] == slot {
                takeSample(result.samples[sample], for: slot)
                sample += 1
            }
            if endsEarly { endEarly(slot) }
        }
        sampled.removeAll(keepingCapacity: true)
        planned.removeAll(keepingCapacity: true)
        removeEnded()
    }

    private mutating func takeSample(_ sample: SampledToken, for slot: Int) {
        guard let row = slots[slot].take(sample, contextLength: settings.contextLength) else { return }
        rows.append(row)
        if row.end != nil { retain(slot, keepsPlace: true) }
    }

    private mutating func endEarly(_ slot: Int) {
        let work = slots[slot].work
        guard let end = work.ending else { return }
        let generated = slots[slot].tokens.count - work.promptCount
        retain(slot, keepsPlace: true)
        appendEnd(end.end, of: work, generated: generated)
    }

    /// Ends all that is held as failed, and has all sequences removed before the next step: what an engine's error
    /// leaves.
    public mutating func abandon(_ error: EngineError) {
        planned.removeAll(keepingCapacity: true)
        sampled.removeAll(keepingCapacity: true)
        let end = GenerationEnd.failed(.engine(error))
        for slot in slots.indices {
            slots[slot].planned = 0
            slots[slot].computed = 0
            if slots[slot].state == .running {
                let work = slots[slot].work
                let generated = slots[slot].tokens.count - work.promptCount
                retain(slot)
                appendEnd(end, of: work, generated: generated)
            }
            if slots[slot].state == .retained { evict(slot) }
        }
        while !waiting.isEmpty { endWaiting(at: 0, end) }
        operations.removeAll(keepingCapacity: true)
        for slot in slots.indices { operations.append(.remove(sequence: Int32(slot), from: 0)) }
    }

    /// Moves the rows made since the last call to `taken`, replacing its content; its storage is used again.
    public mutating func takeRows(into taken: inout [EngineRow]) {
        taken.removeAll(keepingCapacity: true)
        swap(&rows, &taken)
    }
}
