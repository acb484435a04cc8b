import Wire

extension DialSide {
    /// Runs when nothing else is to be done: credit is shared out once for all events that came together.
    mutating func settle() {
        if creditChanged {
            creditChanged = false
            if !isDraining { shareCredit() }
            if isSuspended, !isDraining { leaveIdleLinks() }
            isTicking = false
        }
        if isDraining, !isDrained { finishDrain() }
    }

    private mutating func shareCredit() {
        var taken = heldCount
        for index in links.indices { taken += Int(clamping: links[index].outstanding) }
        let free = (isSuspended ? 0 : Int(slots)) - taken
        if free > 0, !isHung {
            isWithholding = !isWorthTelling(free)
            if !isWithholding { grant(free) }
        } else if free < 0 {
            recall(needed: UInt64(-free), sparingDemand: false)
            return
        }
        var wanted: UInt64 = 0
        for index in links.indices where links[index].isUp {
            let outstanding = links[index].outstanding
            if links[index].demand > outstanding { wanted += links[index].demand - outstanding }
        }
        if wanted > 0, !isHung { recall(needed: wanted, sparingDemand: true) }
    }

    /// Whether so many slots are worth a frame: while every link has credit to go on with, freed slots gather until the
    /// next tick, so that not every request that ends sends one.
    private func isWorthTelling(_ free: Int) -> Bool {
        if isTicking || free * 4 >= Int(slots) { return true }
        for index in links.indices where links[index].isGrantable {
            let outstanding = links[index].outstanding
            if outstanding == 0 || links[index].demand > outstanding { return true }
        }
        return false
    }

    /// Gives all of `free` away: first to links whose demand their credit does not meet, then to all; the one that has
    /// least goes first.
    private mutating func grant(_ free: Int) {
        var free = UInt64(free)
        var granted = false
        let count = links.count
        for meetsDemand in [true, false] {
            while free > 0 {
                var least = -1
                var candidates: UInt64 = 0
                for step in 0..<count {
                    // Ties go around, so that no link is always served first.
                    let index = (turn + step) % count
                    guard links[index].isGrantable else { continue }
                    if meetsDemand, links[index].demand <= links[index].outstanding { continue }
                    candidates += 1
                    if least < 0 || links[index].outstanding < links[least].outstanding { least = index }
                }
                guard least >= 0 else { break }
                var share = max(1, free / candidates)
                if meetsDemand { share = min(share, links[least].demand - links[least].outstanding) }
                links[least].limit += share
                links[least].isCreditChanged = true
                granted = true
                free -= share
                turn = (least + 1) % count
            }
        }
        guard granted else { return }
        for index in links.indices where links[index].isCreditChanged {
            links[index].isCreditChanged = false
            queue(.credit(Count(links[index].limit)), on: index)
        }
    }

    /// Asks for unused credit back, from those first who have most to spare.
    private mutating func recall(needed: UInt64, sparingDemand: Bool) {
        var needed = needed
        for index in links.indices {
            if let recall = links[index].recall { needed -= min(needed, links[index].limit - recall.target) }
        }
        while needed > 0 {
            var most = -1
            var surplus: UInt64 = 0
            for index in links.indices where links[index].isGrantable {
                let kept = sparingDemand ? links[index].demand : 0
                let spare = links[index].outstanding - min(links[index].outstanding, kept)
                if spare > surplus {
                    surplus = spare
                    most = index
                }
            }
            guard most >= 0 else { return }
            let amount = min(surplus, needed)
            needed -= amount
            let target = links[most].limit - amount
            links[most].recall = (target: target, since: time)
            counters.recalls += 1
            queue(.recall(Count(target)), on: most)
        }
    }

    private mutating func leaveIdleLinks() {
        for index in links.indices where links[index].isUp {
            guard links[index].held.allSatisfy({ $0 == nil }), links[index].traysSent == links[index].traysTaken else {
                continue
            }
            end(index, .unavailable, reset: true)
            greetSoon(index)
        }
    }

    private mutating func finishDrain() {
        guard heldCount == 0 else { return }
        for index in links.indices where links[index].isUp {
            guard links[index].isGoodbyeAcknowledged, links[index].traysSent == links[index].traysTaken else { return }
        }
        isDrained = true
        for index in links.indices where links[index].isUp {
            queue(.reset(Reset(status: .draining)), on: index)
            links[index].close()
        }
        actions.append(.drained)
    }
}
