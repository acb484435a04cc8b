extension Scheduler {
    /// A running sequence becomes a retained one, with what is computed of it.
    /// - Parameter keepsPlace: it stays among those that run until `removeEnded`.
    mutating func retain(_ slot: Int, keepsPlace: Bool = false) {
        let computed = slots[slot].computed
        release(slot, downTo: computed)
        for cell in slots[slot].cells { pool.unpin(cell) }
        slots[slot].tokens.removeLast(slots[slot].tokens.count - computed)
        slots[slot].state = .retained
        slots[slot].isDecoding = false
        slots[slot].lastUse = load.steps
        if keepsPlace { hasEnded = true } else { running.removeAll { $0 == slot } }
        if computed == 0 { evict(slot) } else { noteRetained(slot) }
        while pool.retainedCount > settings.retainedCells, evictLeastRecentlyUsed() {}
    }

    private mutating func noteRetained(_ slot: Int) {
        retained.note(slot, lastUse: slots[slot].lastUse)
        guard retained.count > 4 * slots.count else { return }
        retained.keep { slots[$0.slot].state == .retained && slots[$0.slot].lastUse == $0.lastUse }
    }

    /// Takes out of those that run what ended in this step.
    mutating func removeEnded() {
        guard hasEnded else { return }
        hasEnded = false
        running.removeAll { slots[$0].state != .running }
    }

    /// Gives a running sequence's cells after the first `count` back.
    private mutating func release(_ slot: Int, downTo count: Int) {
        while slots[slot].cells.count > count, let cell = slots[slot].cells.popLast() {
            pool.unpin(cell)
            pool.drop(cell)
        }
    }

    /// A retained sequence becomes a free one.
    mutating func evict(_ slot: Int) {
        for cell in slots[slot].cells { pool.drop(cell) }
        if slots[slot].computed > 0 { operations.append(.remove(sequence: Int32(slot), from: 0)) }
        prefixes.remove(slot)
        commonPrefixes.remove(slot)
        slots[slot].cells.removeAll(keepingCapacity: true)
        slots[slot].tokens.removeAll(keepingCapacity: true)
        slots[slot].computed = 0
        slots[slot].state = .free
        free.append(slot)
    }

    /// - Returns: false if no sequence is retained.
    mutating func evictLeastRecentlyUsed(except kept: Int? = nil) -> Bool {
        var spared: Int?
        defer { if let spared { retained.putBack(spared, lastUse: slots[spared].lastUse) } }
        while let entry = retained.takeFirst() {
            guard slots[entry.slot].state == .retained, slots[entry.slot].lastUse == entry.lastUse else { continue }
            if entry.slot == kept {
                spared = entry.slot
                continue
            }
            evict(entry.slot)
            return true
        }
        return false
    }

    /// A running sequence gives all that it holds back; its request waits, in the order of admission, to be computed
    /// again.
    mutating func preempt(_ slot: Int) {
        var work = slots[slot].work
        work.usage.preemptions += 1
        load.preemptions += 1
        let place = waiting.firstIndex { $0.work.arrival > work.arrival } ?? waiting.count
        waiting.insert(WaitingWork(work: work, tokens: slots[slot].tokens, owner: slots[slot].owner), at: place)
        retain(slot)
        if slots[slot].state == .retained { evict(slot) }
    }

    /// The sequence whose computed tokens have the longest common prefix with these that this owner may share, and its
    /// length. The last of `tokens` never counts: its logits are needed.
    private func longestPrefix(of tokens: [UInt32], for owner: CacheOwner) -> (slot: Int, count: Int)? {
        guard settings.retainedCells > 0 else { return nil }
        var best: (slot: Int, count: Int)?
        func compare(_ slot: Int, upTo most: Int) {
            let limit = min(slots[slot].computed, most)
            guard limit > best?.count ?? settings.minimumSharedTokens - 1 else { return }
            let held = slots[slot].tokens
            var count = 0
            while count < limit, tokens[count] == held[count] { count += 1 }
            if count > best?.count ?? settings.minimumSharedTokens - 1 { best = (slot, count) }
        }
        for slot in prefixes.slots(beginningAs: tokens, of: owner) { compare(slot, upTo: tokens.count - 1) }
        let common = min(commonCount(of: tokens), tokens.count - 1)
        guard common > best?.count ?? settings.minimumSharedTokens - 1 else { return best }
        for slot in commonPrefixes.slots(beginningAs: tokens, of: CacheOwner()) { compare(slot, upTo: common) }
        return best
    }

    /// How many of these tokens, from the first, stand in one of the prefixes that the operator listed. A part of one
    /// counts as well: the tokens at a listed text's end depend on what follows it.
    private func commonCount(of tokens: [UInt32]) -> Int {
        var most = 0
        for prefix in settings.commonPrefixes {
            let limit = min(prefix.count, tokens.count)
            var count = 0
            while count < limit, prefix[count] == tokens[count] { count += 1 }
            most = max(most, count)
        }
        return most
    }

    /// Gives a request a sequence, and cells for all of its tokens.
    ///
    /// - Returns: false if there is no room.
    mutating func start(_ entry: WaitingWork, now: UInt64) -> Bool {
        let tokens = entry.tokens
        let match = longestPrefix(of: tokens, for: entry.owner)
        let shared = match?.count ?? 0
        var newlyPinned = 0
        if let match {
            for cell in slots[match.slot].cells[..<shared] where !pool.isPinned(cell) { newlyPinned += 1 }
        }
        // Each running request may need a cell in the next step: without room for that, it would be preempted.
        let room = pool.capacity - pool.pinnedCount - newlyPinned
        guard room >= tokens.count - shared + running.count else { return false }

        let slot: Int
        if let match, slots[match.slot].state == .retained, slots[match.slot].computed == shared {
            slot = match.slot
            resumeRetained(slot, shared: shared)
        } else if let free = freeSlot(except: match?.slot) {
            slot = free
            if let match { copyPrefix(from: match.slot, to: free, count: shared) }
        } else if let match, slots[match.slot].state == .retained {
            slot = match.slot
            resumeRetained(slot, shared: shared)
        } else {
            return false
        }
        // The check above counted all cells that evictions can free.
        while slots[slot].cells.count < tokens.count {
            if let cell = pool.take() {
                slots[slot].cells.append(cell)
            } else if !evictLeastRecentlyUsed() {
                preconditionFailure("the cell pool's counts are wrong")
            }
        }
        begin(entry, in: slot, shared: shared, now: now)
        return true
    }

    private mutating func freeSlot(except kept: Int?) -> Int? {
        if free.isEmpty, !evictLeastRecentlyUsed(except: kept) { return nil }
        return free.popLast()
    }

    private mutating func resumeRetained(_ slot: Int, shared: Int) {
        if slots[slot].computed > shared {
            operations.append(.remove(sequence: Int32(slot), from: Int32(shared)))
        }
        while slots[slot].cells.count > shared, let cell = slots[slot].cells.popLast() { pool.drop(cell) }
        for cell in slots[slot].cells { pool.pin(cell) }
        slots[slot].state = .running
    }

    private mutating func copyPrefix(from source: Int, to destination: Int, count: Int) {
        operations.append(.copy(source: Int32(source), destination: Int32(destination), count: Int32(count)))
        for index in 0..<count {
            let cell = slots[source].cells[index]
            pool.share(cell)
            slots[destination].cells.append(cell)
        }
        slots[source].lastUse = load.steps
        if slots[source].state == .retained { noteRetained(source) }
    }

    private mutating func begin(_ entry: WaitingWork, in slot: Int, shared: Int, now: UInt64) {
        var work = entry.work
        let tokens = entry.tokens
        load.promptTokens += UInt64(tokens.count)
        load.cachedTokens += UInt64(shared)
        if !work.hasBegun {
            work.hasBegun = true
            work.begunAt = now
            work.cachedTokens = shared
        }
        slots[slot].tokens = tokens
        slots[slot].owner = entry.owner
        if settings.retainedCells > 0 {
            prefixes.note(slot, beginningAs: tokens, of: entry.owner)
            if commonCount(of: tokens) >= settings.minimumSharedTokens {
                commonPrefixes.note(slot, beginningAs: tokens, of: CacheOwner())
            } else {
                commonPrefixes.remove(slot)
            }
        }
        slots[slot].computed = shared
        slots[slot].state = .running
        slots[slot].isDecoding = false
        slots[slot].work = work
        let isYoungest = running.last.map { slots[$0].work.arrival < work.arrival } ?? true
        let place =
            isYoungest
            ? running.count
            : running.firstIndex { slots[$0].work.arrival > work.arrival } ?? running.count
        running.insert(slot, at: place)
    }
}
