extension Scheduler {
    /// Plans one step.
    ///
    /// - Parameter now: the caller's time, which the rows of requests that begin with this step carry, and by which
    ///   requests past their deadline end.
    /// - Returns: false if there is nothing to do; then the plan is empty and no step follows.
    public mutating func plan(into plan: inout StepPlan, now: UInt64 = 0) -> Bool {
        precondition(planned.isEmpty, "the step before is not complete")
        plan.clear()
        endOverdue(now: now)
        planDecodes(into: &plan)
        startWaiting(now: now)
        if planned.count < running.count { planPrompts(into: &plan) }
        plannedTokens = plan.tokens.count
        guard !plan.tokens.isEmpty else { return false }
        swap(&plan.operations, &operations)
        return true
    }

    private mutating func planDecodes(into plan: inout StepPlan) {
        var index = 0
        // Preemption takes the youngest, which stands last: never one that was planned before.
        while index < running.count {
            let slot = running[index]
            if slots[slot].isDecoding {
                guard let cell = cell(for: slot) else { continue }
                slots[slot].planToken(in: cell, sequence: slot, step: load.steps, to: &plan)
                planned.append(slot)
                sampled.append(slot)
            }
            index += 1
        }
    }

    /// A cell for one token more. When none is left, sequences are evicted, then preempted.
    ///
    /// - Returns: nil if the request itself was preempted.
    private mutating func cell(for slot: Int) -> Int32? {
        while true {
            if let cell = pool.take() { return cell }
            if evictLeastRecentlyUsed() { continue }
            guard let youngest = running.last else { return nil }
            preempt(youngest)
            if youngest == slot { return nil }
        }
    }

    private mutating func startWaiting(now: UInt64) {
        // Those before `kept` found no room; those from there to `next` were started, and leave together.
        var kept = 0
        var next = 0
        while next < waiting.count, running.count < settings.maximumRunning, kept < Self.longestSearch {
            if !start(waiting[next], now: now) {
                waiting[next].blockedSteps += 1
                let isBarrier = waiting[next].blockedSteps > settings.patience
                waiting.swapAt(kept, next)
                kept += 1
                if isBarrier {
                    next += 1
                    break
                }
            }
            next += 1
        }
        waiting.removeSubrange(kept..<next)
    }

    /// How many requests without room are looked at in a step.
    private static let longestSearch = 32

    private mutating func planPrompts(into plan: inout StepPlan) {
        var left = settings.tokenBudget - plan.tokens.count
        var prompts = running.filter { !slots[$0].isDecoding }
        guard let oldest = prompts.first, left > 0 else { return }
        let reserved = min(slots[oldest].remaining, max(1, left / 4))
        left -= reserved
        // `running` is in the order of admission, which a stable order keeps among equals.
        prompts.sort {
            (slots[$0].remaining, slots[$0].work.arrival) < (slots[$1].remaining, slots[$1].work.arrival)
        }
        for slot in prompts {
            let ownReserve = slot == oldest ? reserved : 0
            let count = min(slots[slot].remaining, left + ownReserve)
            left -= count - ownReserve
            if count > 0 { append(count, of: slot, to: &plan) }
        }
    }

    private mutating func append(_ count: Int, of slot: Int, to plan: inout StepPlan) {
        let start = slots[slot].computed
        let last = slots[slot].tokens.count - 1
        for position in start..<start + count {
            plan.tokens.append(
                StepToken(
                    token: slots[slot].tokens[position], position: Int32(position), sequence: Int32(slot),
                    wantsLogits: position == last))
        }
        slots[slot].planned = count
        slots[slot].lastUse = load.steps
        planned.append(slot)
        guard start + count == slots[slot].tokens.count else { return }
        slots[slot].planSample(to: &plan)
        sampled.append(slot)
    }
}
