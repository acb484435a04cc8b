extension SequenceSlot {
    /// Puts the last token of a decoding sequence into a step, and its successor among those to choose.
    /// - Parameters:
    ///   - cell: For the token's keys and values.
    ///   - step: The number of steps so far.
    mutating func planToken(in cell: Int32, sequence: Int, step: UInt64, to plan: inout StepPlan) {
        cells.append(cell)
        lastUse = step
        planned = 1
        plan.tokens.append(
            StepToken(
                token: tokens[computed], position: Int32(computed), sequence: Int32(sequence), wantsLogits: true))
        planSample(to: &plan)
    }

    /// Has the successor of the plan's last token chosen.
    mutating func planSample(to plan: inout StepPlan) {
        let historyStart = plan.history.count
        if work.sampling.hasPenalties { plan.history.append(contentsOf: tokens) }
        let index = tokens.count - work.promptCount
        var place: Int32?
        if let rules = work.rules {
            place = Int32(clamping: plan.rules.count)
            plan.rules.append(rules)
        }
        plan.samples.append(
            SampleRequest(
                entry: plan.tokens.count - 1, index: UInt32(clamping: index), promptDigest: work.promptDigest,
                sampling: work.sampling, rules: place,
                masksEndOfGeneration: index < work.limits.minimumTokens,
                history: historyStart..<plan.history.count, promptCount: work.promptCount))
    }

    /// Its planned tokens are computed.
    /// - Returns: whether the request ends with them, since it was cancelled or handed back.
    mutating func noteComputed(_ shares: inout EnergyShares) -> Bool {
        let count = planned
        computed += count
        planned = 0
        if !isDecoding { work.usage.prefilled += UInt32(clamping: count) }
        shares.add(tokens: count, to: &work.usage)
        return work.ending != nil
    }

    /// Takes the token that was chosen.
    /// - Returns: its row; nil if whoever cancelled wants no more. The token still counts as made.
    mutating func take(_ sample: SampledToken, contextLength: Int) -> EngineRow? {
        isDecoding = true
        work.usage.produced += 1
        guard work.ending == nil else { return nil }
        let index = tokens.count - work.promptCount
        tokens.append(sample.token)
        var end: GenerationEnd?
        if sample.isEndOfGeneration && !work.limits.ignoresEndOfGeneration {
            end = .endOfGeneration
        } else if let rules = work.rules, index >= work.limits.minimumTokens, rules.stops.contains(sample.token) {
            end = .endOfGeneration
        } else if index + 1 >= work.limits.maximumTokens || tokens.count >= contextLength {
            end = .length
        }
        let tellsMore = end != nil || !work.hasRow
        let row = EngineRow(
            id: work.id, token: sample.token, index: UInt32(clamping: index),
            details: tellsMore ? RowDetails(end: end, of: work) : nil)
        work.hasRow = true
        return row
    }
}

/// Splits a step's energy over its requests by the tokens that each had in it: shares are whole microjoules and add up
/// to the step's exactly.
struct EnergyShares: Sendable {
    private let energy: StepEnergy?
    private let total: UInt64
    private let perToken: UInt64
    private let rest: UInt64
    private var tokens: UInt64 = 0
    private var given: UInt64 = 0

    init(_ energy: StepEnergy?, tokens: Int) {
        self.energy = energy
        total = UInt64(max(1, tokens))
        (perToken, rest) = (energy?.microjoules ?? 0).quotientAndRemainder(dividingBy: total)
    }

    /// Gives the next request its share.
    mutating func add(tokens count: Int, to usage: inout AttemptUsage) {
        guard let energy else {
            usage.microjoules = nil
            return
        }
        tokens += UInt64(count)
        let upTo = perToken * tokens + rest * tokens / total
        usage.add(upTo - given, energy.source)
        given = upTo
    }
}

extension AttemptUsage {
    fileprivate mutating func add(_ share: UInt64, _ source: EnergySource) {
        if let sum = microjoules { microjoules = sum &+ share }
        energySource = energySource == .modelled ? .modelled : source
    }
}
