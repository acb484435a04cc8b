import Line
import Testing
import Wire

@Suite struct DialSideTests {
    @Test func `A connection begins with a hello, the welcome with all credit`() throws {
        var line = DialHarness(slots: 3)
        let link = line.dial.addLink()
        #expect(line.actions().isEmpty)
        line.dial.connected(link, now: line.now)
        let hello = Hello(
            role: .inferenceWorker, epoch: DialHarness.epoch, attempt: 1, slots: 3, contextLength: 64, model: "m",
            name: "below")
        #expect(line.actions() == [.control(link: link, session: 0, .hello(hello))])
        line.dial.connected(link, now: line.now + 1_000_000_000)
        line.now += 1_000_000_000
        line.welcome(link)
        let session = try #require(line.dial.session(of: link))
        let actions = line.actions()
        guard case .sessionBegan(link, let welcome)? = actions.first else {
            Issue.record("\(actions)")
            return
        }
        #expect(welcome.session == session)
        #expect(actions.last == .control(link: link, session: session, .credit(Count(3))))
    }

    @Test func `A welcome that does not answer the last hello is dropped`() {
        var line = DialHarness()
        let link = line.dial.addLink()
        line.dial.connected(link, now: line.now)
        _ = line.actions()
        for (epoch, attempt) in [(0xab, 2), (0xac, 1)] as [(UInt64, UInt32)] {
            let session = LinkSession.number(above: 0xab, below: DialHarness.epoch, attempt: attempt)
            let welcome = Welcome(
                role: .tokenizer, epoch: epoch, session: session, window: 1, heartbeatMilliseconds: 1,
                timeoutMilliseconds: 1)
            line.dial.received(
                .welcome(welcome), on: link, header: FrameHeader(kind: .welcome, session: session, sequence: 1),
                now: line.now)
        }
        #expect(line.dial.sessionCount == 0)
        #expect(line.dial.counters.staleFrames == 2)
    }

    @Test func `Hellos are repeated, and then a new connection is asked for`() {
        var line = DialHarness(settings: LineSettings(helloTimeout: 100, hellosPerConnection: 2))
        let link = line.dial.addLink()
        line.dial.connected(link, now: line.now)
        _ = line.actions()
        line.dial.tick(line.now + 101)
        #expect(line.frames(on: link).map(\.kind) == [.hello])
        line.dial.tick(line.now + 202)
        #expect(line.actions() == [.reconnect(link: link)])
        line.dial.tick(line.now + 1000)
        #expect(line.actions().isEmpty)
    }

    @Test func `A refused hello is told and repeated later`() {
        var line = DialHarness(settings: LineSettings(helloTimeout: 100))
        let link = line.dial.addLink()
        line.dial.connected(link, now: line.now)
        _ = line.actions()
        line.dial.received(
            .reset(Reset(status: .busy)), on: link, header: FrameHeader(kind: .reset, session: 0), now: line.now)
        #expect(line.actions() == [.refused(link: link, .busy)])
        line.dial.tick(line.now + 50)
        #expect(line.actions().isEmpty)
        line.dial.tick(line.now + 100)
        #expect(line.frames(on: link).map(\.kind) == [.hello])
    }

    @Test func `Credit over all links and works held never exceed the slots`() throws {
        var line = DialHarness(slots: 5)
        let first = line.join(above: 1)
        #expect(line.frames(on: first) == [.credit(Count(5))])
        let second = line.join(above: 2)
        #expect(line.frames(on: second).isEmpty)
        let work = line.take(1 << 16, on: first)
        #expect(line.dial.origin(of: work)?.handle == 1 << 16)
        #expect(line.dial.outstandingCredit(of: first) == 4)
        line.dial.ended(work)
        #expect(line.frames(on: second) == [.credit(Count(1))])
        line.dial.ended(work)
        #expect(line.dial.heldCount == 0)
        #expect(line.actions().isEmpty)
    }

    @Test func `Demand recalls unused credit elsewhere, and gets it`() {
        var line = DialHarness(slots: 4)
        let first = line.join(above: 1)
        _ = line.actions()
        let second = line.join(above: 2)
        _ = line.actions()
        line.send(.demand(Count(3)), on: second)
        #expect(line.frames(on: first) == [.recall(Count(1))])
        // A work that was on the way when the recall was.
        _ = line.take(1 << 16, on: first)
        _ = line.take(1 << 16 | 1, on: first)
        line.send(.recallAck(Count(2)), on: first)
        let actions = line.actions()
        #expect(
            actions == [
                .control(link: second, session: line.dial.session(of: second) ?? 0, .credit(Count(2)))
            ])
        #expect(line.dial.outstandingCredit(of: first) == 0)
    }

    @Test func `Credit that a link's own demand needs is not recalled`() {
        var line = DialHarness(slots: 2)
        let first = line.join(above: 1)
        let second = line.join(above: 2)
        _ = line.actions()
        line.send(.demand(Count(2)), on: first)
        line.send(.demand(Count(2)), on: second)
        #expect(line.actions().isEmpty)
    }

    @Test func `Fewer slots recall credit, also from those who need it`() {
        var line = DialHarness(slots: 4)
        let link = line.join()
        line.send(.demand(Count(9)), on: link)
        _ = line.actions()
        line.dial.setSlots(1)
        #expect(line.frames(on: link) == [.recall(Count(1))])
        line.send(.recallAck(Count(1)), on: link)
        #expect(line.actions().isEmpty)
        line.dial.setSlots(2)
        #expect(line.frames(on: link) == [.credit(Count(2))])
    }

    @Test func `A tick is awaited for hellos and for credit that gathers`() {
        var line = DialHarness(slots: 8)
        #expect(!line.dial.awaitsTick)
        let link = line.dial.addLink()
        line.dial.connected(link, now: line.now)
        _ = line.dial.next()
        _ = line.actions()
        #expect(line.dial.awaitsTick)
        line.dial.connected(link, now: line.now + 1_000_000_000)
        line.now += 1_000_000_000
        line.welcome(link)
        _ = line.actions()
        #expect(!line.dial.awaitsTick)
        let works = (0..<3).map { line.take(1 << 16 | $0, on: link) }
        _ = line.actions()
        line.dial.ended(works[0])
        #expect(line.frames(on: link).isEmpty)
        #expect(line.dial.awaitsTick)
        line.dial.tick(line.now)
        #expect(line.frames(on: link) == [.credit(Count(9))])
        #expect(!line.dial.awaitsTick)
    }

    @Test func `Work without credit, or with a handle in use, ends the session`() {
        var line = DialHarness(slots: 1)
        let link = line.join()
        _ = line.actions()
        _ = line.take(1 << 16, on: link)
        #expect(line.give(2 << 16 | 1, on: link) == .refused(.overCredit))
        #expect(line.dial.sessionCount == 0)
        line = DialHarness(slots: 2)
        let other = line.join()
        _ = line.actions()
        _ = line.take(1 << 16, on: other)
        #expect(line.give(2 << 16, on: other) == .refused(.protocolViolation))
        #expect(line.dial.counters.violations == 1)
    }

    @Test func `The end of a session names its works, which keep their slots until they are ended`() throws {
        var line = DialHarness(slots: 2)
        let first = line.join(above: 1)
        let second = line.join(above: 2)
        _ = line.actions()
        let session = try #require(line.dial.session(of: first))
        let work = line.take(1 << 16, on: first)
        line.dial.received(
            .reset(Reset(status: .unknownSession)), on: first, header: FrameHeader(kind: .reset, session: session),
            now: line.now)
        var actions = line.actions()
        #expect(actions.first == .sessionEnded(link: first, session: session, .unknownSession, works: [work]))
        #expect(line.dial.origin(of: work) == nil)
        #expect(line.dial.outstandingCredit(of: second) == 1)
        line.dial.ended(work)
        actions = line.actions()
        #expect(line.dial.outstandingCredit(of: second) == 2)
        line.now += 1_000_000_000
        line.dial.tick(line.now)
        #expect(line.frames(on: first).map(\.kind) == [.hello])
    }

    @Test func `A cancel finds its work, another handle nothing`() {
        var line = DialHarness()
        let link = line.join()
        _ = line.actions()
        let work = line.take(1 << 16, on: link)
        line.send(.cancel(Cancel(handle: 2 << 16)), on: link)
        line.send(.cancel(Cancel(handle: .max)), on: link)
        #expect(line.actions().isEmpty)
        #expect(line.dial.counters.unknownHandles == 2)
        line.send(.cancel(Cancel(handle: 1 << 16)), on: link)
        #expect(line.actions() == [.cancel(work: work)])
    }

    @Test func `The tray window shuts and opens`() {
        var line = DialHarness()
        let link = line.join(window: 2)
        _ = line.actions()
        #expect(line.dial.trayToSend(on: link) == 1)
        #expect(line.dial.trayToSend(on: link) == 2)
        #expect(line.dial.trayToSend(on: link) == nil)
        #expect(line.dial.traysInFlight(on: link) == 2)
        line.send(.trayAck(Count(1)), on: link)
        #expect(line.actions() == [.windowOpened(link: link)])
        #expect(line.dial.trayToSend(on: link) == 3)
        line.send(.heartbeat(Heartbeat(waiting: 0, traysTaken: 3)), on: link)
        #expect(line.dial.traysInFlight(on: link) == 0)
        line.send(.trayAck(Count(4)), on: link)
        #expect(line.dial.sessionCount == 0)
    }

    @Test func `A heartbeat is answered with both stamps, the load and the step's age`() {
        var line = DialHarness(slots: 3)
        let link = line.join()
        _ = line.actions()
        _ = line.take(1 << 16, on: link)
        line.now += 40
        line.dial.stepped(now: line.now)
        line.now += 5
        line.send(.heartbeat(Heartbeat(waiting: 0, traysTaken: 0)), on: link, sentAt: 77)
        var reply = HeartbeatReply(originAt: 77, receivedAt: line.now, held: 1, free: 2, stepAge: 5)
        reply.contextLength = line.dial.contextLength
        #expect(line.dial.contextLength > 0 && line.frames(on: link) == [.heartbeatReply(reply)])
    }

    @Test func `A station whose engine hangs opens no session and grants nothing until it steps`() {
        var line = DialHarness(slots: 3, settings: LineSettings(stepAgeLimit: 100, helloSpacing: 10))
        let first = line.join(above: 1)
        let second = line.join(above: 2)
        _ = line.actions()
        let work = line.take(1 << 16, on: first)
        _ = line.take(1 << 16 | 1, on: first)
        line.now += 101
        line.dial.disconnected(first, now: line.now)
        line.dial.ended(work)
        line.dial.connected(first, now: line.now + 10)
        line.dial.tick(line.now + 20)
        #expect(line.frames(on: second).isEmpty)
        line.now += 20
        line.dial.stepped(now: line.now)
        #expect(line.frames(on: second) == [.credit(Count(2))])
        line.dial.tick(line.now)
        #expect(line.frames(on: first).map(\.kind) == [.hello])
    }

    @Test func `Silence from above ends the session and begins another`() {
        var line = DialHarness()
        let link = line.join()
        _ = line.actions()
        for _ in 0..<12 {
            line.now += 100_000_000
            line.dial.tick(line.now)
        }
        #expect(line.frames(on: link).map(\.kind) == [.reset, .hello])
        #expect(line.dial.counters.silences == 1)
    }

    @Test func `A drain is done when goodbye is acknowledged, works are ended and trays taken`() {
        var line = DialHarness(slots: 2)
        let link = line.join()
        _ = line.actions()
        line.dial.drain(now: line.now)
        #expect(line.frames(on: link) == [.goodbye])
        let work = line.take(1 << 16, on: link)
        line.send(.goodbyeAck, on: link)
        #expect(line.actions().isEmpty)
        #expect(line.dial.trayToSend(on: link) == 1)
        line.dial.ended(work)
        #expect(line.actions().isEmpty)
        line.send(.trayAck(Count(1)), on: link)
        let actions = line.actions()
        #expect(actions.last == .drained)
        #expect(actions.count == 2)
        #expect(line.actions().isEmpty)
    }

    @Test func `A drain without a session is done at once, and no hello follows`() {
        var line = DialHarness()
        let link = line.dial.addLink()
        line.dial.drain(now: line.now)
        #expect(line.actions() == [.drained])
        line.dial.connected(link, now: line.now)
        line.dial.tick(line.now + 5)
        #expect(line.actions().isEmpty)
    }

    @Test func `A missing frame ends the session`() {
        var line = DialHarness()
        let link = line.join()
        _ = line.actions()
        _ = line.header(.heartbeat, on: link)
        line.send(.demand(Count(1)), on: link)
        #expect(line.dial.counters.sequenceGaps == 1)
        #expect(line.frames(on: link).first == .reset(Reset(status: .protocolViolation)))
    }

    @Test func `A frame that cannot be sent ends the session and asks for a connection`() {
        var line = DialHarness()
        let link = line.join()
        _ = line.actions()
        line.dial.sendFailed(on: link)
        let actions = line.actions()
        #expect(actions.last == .reconnect(link: link))
        #expect(line.dial.nextStamp(on: link, session: 1).sequence == 0)
    }

    @Test func `A probe is handed over and answered`() {
        var line = DialHarness()
        let link = line.join()
        _ = line.actions()
        line.send(.probe(Count(8)), on: link)
        #expect(line.actions() == [.probe(link: link, number: 8)])
        line.dial.probeReply(8, on: link)
        #expect(line.frames(on: link) == [.probeReply(Count(8))])
    }

    @Test func `Without slots there is no credit`() {
        var line = DialHarness(slots: 0)
        let link = line.join()
        _ = line.actions()
        line.send(.demand(Count(1)), on: link)
        #expect(line.actions().isEmpty)
    }

    @Test func `A suspended station finishes what it holds, leaves, and joins again`() {
        var line = DialHarness(slots: 2, settings: LineSettings(helloSpacing: 10))
        let link = line.join()
        let idle = line.join(above: 0xcd)
        _ = line.actions()
        let work = line.take(1, on: link)
        line.dial.suspend(true, now: line.now)
        #expect(line.frames(on: idle) == [.reset(Reset(status: .unavailable))])
        #expect(line.dial.session(of: link) != nil && line.dial.session(of: idle) == nil)
        line.dial.ended(work)
        #expect(line.frames(on: link).contains(.reset(Reset(status: .unavailable))))
        #expect(line.dial.sessionCount == 0)
        line.now += 1_000_000_000
        line.dial.tick(line.now)
        #expect(line.actions().isEmpty)
        line.dial.suspend(false, now: line.now)
        line.dial.tick(line.now)
        line.welcome(link)
        #expect(line.dial.session(of: link) != nil)
    }

    @Test func `A removed link ends its session and its id is not found again`() {
        var line = DialHarness()
        let link = line.join()
        _ = line.actions()
        line.dial.removeLink(link)
        #expect(line.frames(on: link) == [.reset(Reset(status: .draining))])
        let next = line.dial.addLink()
        #expect(next != link)
        line.dial.connected(link, now: line.now)
        #expect(line.actions().isEmpty)
    }

    @Test func `Sessions of one dialler differ`() {
        var seen: Set<UInt32> = []
        for attempt in UInt32(1)...5000 {
            #expect(seen.insert(LinkSession.number(above: 3, below: 4, attempt: attempt)).inserted)
        }
        #expect(!seen.contains(0))
    }
}
