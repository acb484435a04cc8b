import Wire

extension DialSide {
    /// Takes a work whose frame `accepts` let through and that was decoded.
    public mutating func accept(_ handle: UInt32, on link: UInt32, now: LinkTime) -> Acceptance {
        guard let index = index(of: link), links[index].isUp else { return .refused(.unknownSession) }
        advance(to: now)
        guard links[index].outstanding > 0 else {
            violate(index, .overCredit)
            return .refused(.overCredit)
        }
        let place = Int(handle & 0xffff)
        if place < links[index].held.count, links[index].held[place] != nil {
            violate(index, .protocolViolation)
            return .refused(.protocolViolation)
        }
        while links[index].held.count <= place { links[index].held.append(nil) }
        let work = hold(Origin(link: link, session: links[index].session, handle: handle))
        links[index].held[place] = LinkState.Held(handle: handle, work: work)
        links[index].accepted += 1
        links[index].demand -= min(1, links[index].demand)
        counters.dispatched += 1
        return .accepted(work)
    }

    /// The work's last row stands in a tray that is sent, or its session has ended and it is recorded: its slot is free.
    public mutating func ended(_ work: UInt64) {
        guard let slot = slot(of: work) else { return }
        let origin = works[slot].origin
        works[slot].isHeld = false
        works[slot].generation &+= 1
        freeWorks.append(slot)
        heldCount -= 1
        creditChanged = true
        guard let index = index(of: origin.link), links[index].isUp, links[index].session == origin.session else {
            return
        }
        links[index].held[Int(origin.handle & 0xffff)] = nil
        counters.finished += 1
    }

    /// The number for a tray that is sent now, or nil while the window is shut (or there is no session): keep the rows,
    /// and merge them into the tray that follows `windowOpened`.
    public mutating func trayToSend(on link: UInt32) -> UInt64? {
        guard let index = index(of: link), links[index].isUp else { return nil }
        guard links[index].traysSent - links[index].traysTaken < links[index].window else {
            links[index].isWindowShut = true
            return nil
        }
        links[index].traysSent += 1
        return links[index].traysSent
    }

    /// The engine made a step.
    public mutating func stepped(now: LinkTime) {
        advance(to: now)
        if isHung { creditChanged = true }
        lastStep = time
    }

    /// Changes how many works can be held; fewer than granted are recalled.
    public mutating func setSlots(_ slots: UInt32) {
        self.slots = slots
        creditChanged = true
    }

    /// Leaves the stations above for as long as work cannot be taken, without giving up what is held: a session ends when
    /// its last work has, and the others' hellos wait until `suspend(false)`.
    public mutating func suspend(_ isSuspended: Bool, now: LinkTime) {
        advance(to: now)
        self.isSuspended = isSuspended
        creditChanged = true
    }

    private mutating func hold(_ origin: Origin) -> UInt64 {
        if heldCount == 0 { lastStep = time }
        heldCount += 1
        let slot = freeWorks.popLast() ?? works.count
        if slot == works.count {
            works.append(Work(origin: origin, generation: 1, isHeld: true))
        } else {
            works[slot].origin = origin
            works[slot].isHeld = true
        }
        return UInt64(works[slot].generation) << 32 | UInt64(slot)
    }

    /// Nanoseconds since the last step while works are held; 0 when none is, or steps are not watched.
    var stepAge: UInt64 { settings.stepAgeLimit == nil || heldCount == 0 ? 0 : time - lastStep }

    /// An engine that hangs gets no more work from anybody.
    var isHung: Bool { settings.stepAgeLimit.map { stepAge > $0 } ?? false }
}
