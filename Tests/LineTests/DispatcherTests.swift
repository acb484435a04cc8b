@testable import Line
import Testing
import Wire

@Suite struct DispatcherTests {
    @Test func `A hello is answered with a welcome, and its session counts`() throws {
        var line = DispatcherHarness()
        line.dispatcher.model = "smol"
        line.hello(
            Hello(role: .inferenceWorker, epoch: 5, slots: 3, contextLength: 2048, model: "m", name: "w"), from: 9)
        let actions = line.actions()
        let session = try #require(line.sessions[9])
        guard case .control(9, session, .welcome(let welcome))? = actions.first else {
            Issue.record("\(actions)")
            return
        }
        #expect(welcome.session == session)
        #expect(welcome.epoch == 0xabcd)
        #expect(welcome.model == "smol")
        let info = try #require(line.dispatcher.info(of: 9))
        #expect(actions.last == .peerUp(info))
        #expect(info.contextLength == 2048 && info.model == "m" && info.name == "w" && info.slots == 3)
        #expect(line.dispatcher.hasModel("m"))
        #expect(!line.dispatcher.hasModel("n"))
    }

    @Test func `A role that may not dial is refused, and so is a version without a common one`() {
        var line = DispatcherHarness()
        line.hello(Hello(role: .client, epoch: 5), from: 1)
        line.hello(Hello(role: .inferenceWorker, minimumVersion: 200, maximumVersion: 201, epoch: 5), from: 2)
        #expect(
            line.actions() == [
                .control(peer: 1, session: 0, .reset(Reset(status: .protocolViolation))),
                .control(peer: 2, session: 0, .reset(Reset(status: .versionMismatch))),
            ])
        #expect(line.dispatcher.peerCount == 0)
        #expect(line.dispatcher.counters.refusals == 2)
    }

    @Test func `More peers than allowed are refused as busy`() {
        var line = DispatcherHarness(settings: LineSettings(maximumPeers: 1))
        line.join(1)
        line.hello(Hello(role: .inferenceWorker, epoch: 5), from: 2)
        #expect(line.actions() == [.control(peer: 2, session: 0, .reset(Reset(status: .busy)))])
    }

    @Test func `A work that no frame can hold gives its credit back`() throws {
        var line = DispatcherHarness()
        line.join(1, credit: 1)
        #expect(line.dispatcher.submit(7, now: 0) == .dispatched)
        #expect(line.dispatcher.submit(8, now: 0) == .waiting)
        let first = try #require(line.actions().compactMap(\.dispatched).first)
        let session = try #require(line.reference(1))
        line.dispatcher.notSent(first.handle, in: session)
        line.dispatcher.notSent(first.handle, in: session)
        let next = try #require(line.actions().compactMap(\.dispatched).first)
        #expect(next.work == 8 && next.handle != first.handle)
        #expect(line.dispatcher.load(of: 1)?.leases == 1)
        #expect(line.dispatcher.load(of: 1)?.credit == 0)
        #expect(line.dispatcher.submit(7, now: 0) == .waiting)
    }

    @Test func `A frame of another session is answered reset`() {
        var line = DispatcherHarness()
        line.join(1)
        let header = FrameHeader(kind: .tokenBatch, session: 77, sequence: 1)
        #expect(line.dispatcher.accepts(header, from: 1, now: 0) == nil)
        #expect(line.dispatcher.accepts(header, from: 5, now: 0) == nil)
        #expect(
            line.actions() == [
                .control(peer: 1, session: 77, .reset(Reset(status: .unknownSession))),
                .control(peer: 5, session: 77, .reset(Reset(status: .unknownSession))),
            ])
    }

    @Test func `A missing frame ends the session, a replayed one is dropped`() throws {
        var line = DispatcherHarness()
        line.join(1)
        let first = line.header(.tokenBatch, from: 1)
        #expect(line.dispatcher.accepts(first, from: 1, now: 0) != nil)
        #expect(line.dispatcher.accepts(first, from: 1, now: 0) == nil)
        #expect(line.dispatcher.counters.replayedFrames == 1)
        #expect(line.dispatcher.peerCount == 1)
        var later = first
        later.sequence += 2
        #expect(line.dispatcher.accepts(later, from: 1, now: 0) == nil)
        #expect(line.dispatcher.peerCount == 0)
        #expect(line.dispatcher.counters.sequenceGaps == 1)
    }

    @Test func `Work goes out only against credit, and waits in order`() throws {
        var line = DispatcherHarness()
        line.join(1)
        #expect(line.dispatcher.submit(10, now: 1) == .waiting)
        #expect(line.dispatcher.submit(11, now: 2) == .waiting)
        #expect(line.dispatcher.submit(12, atFront: true, now: 3) == .waiting)
        #expect(line.dispatcher.submit(12, now: 3) == .refused(.conflict))
        #expect(line.frames(to: 1) == [.demand(Count(3))])
        #expect(line.dispatcher.oldestWait(now: 101) == 100)
        line.send(.credit(Count(2)), from: 1)
        #expect(line.actions().compactMap(\.dispatched).map(\.work) == [12, 10])
        #expect(line.dispatcher.waitingCount == 1 && line.dispatcher.leaseCount == 2)
        line.send(.credit(Count(3)), from: 1)
        #expect(line.actions().compactMap(\.dispatched).map(\.work) == [11])
    }

    @Test func `A peer that believes in demand hears when there is none`() {
        var line = DispatcherHarness()
        line.join(1)
        line.join(2)
        _ = line.dispatcher.submit(10, now: 1)
        #expect(line.frames(to: 1) == [.demand(Count(1))])
        line.send(.credit(Count(1)), from: 2)
        #expect(line.frames(to: 1) == [.demand(Count(0))])
    }

    @Test func `The queue is bounded, but not for works that come back`() {
        var line = DispatcherHarness(settings: LineSettings(waitingLimit: 1))
        line.join(1)
        #expect(line.dispatcher.submit(1, now: 0) == .waiting)
        #expect(line.dispatcher.submit(2, now: 0) == .refused(.busy))
        #expect(line.dispatcher.submit(3, atFront: true, now: 0) == .waiting)
        #expect(line.dispatcher.counters.refusedWorks == 1)
    }

    @Test func `A model nobody ever served is refused, one that may come back waits`() {
        var line = DispatcherHarness()
        #expect(line.dispatcher.submit(1, model: "m", now: 0) == .refused(.unavailable))
        line.join(1, model: "m", credit: 1)
        #expect(line.dispatcher.submit(1, model: "n", now: 0) == .refused(.unknownModel))
        line.dispatcher.expect(model: "n")
        #expect(line.dispatcher.submit(1, model: "n", now: 0) == .waiting)
        line.dispatcher.sendFailed(to: 1)
        #expect(!line.dispatcher.hasModel("m"))
        #expect(line.dispatcher.submit(2, model: "m", now: 0) == .waiting)
        _ = line.actions()
        line.join(2, model: "n")
        line.send(.credit(Count(4)), from: 2)
        #expect(line.actions().compactMap(\.dispatched).map(\.work) == [1])
    }

    @Test func `The peer with the most room is chosen, then the one with the fewest leases`() {
        var line = DispatcherHarness()
        line.join(1, credit: 2)
        line.join(2, credit: 4)
        for work in UInt64(1)...3 { #expect(line.dispatcher.submit(work, now: 0) == .dispatched) }
        #expect(line.actions().compactMap(\.dispatched).map(\.peer) == [2, 2, 1])
        #expect(line.dispatcher.load(of: 1)?.credit == 1)
        #expect(line.dispatcher.load(of: 2)?.leases == 2)
    }

    @Test func `Affinity wins while there is room`() {
        var line = DispatcherHarness()
        line.join(1, credit: 2)
        line.join(2, credit: 9)
        _ = line.dispatcher.submit(1, affinity: 42, now: 0)
        line.join(3, credit: 20)
        _ = line.dispatcher.submit(2, affinity: 42, now: 0)
        _ = line.dispatcher.submit(3, affinity: 43, now: 0)
        #expect(line.actions().compactMap(\.dispatched).map(\.peer) == [2, 3])
    }

    @Test func `Handles are leases: found, ended once, gone`() throws {
        var line = DispatcherHarness()
        line.join(1, credit: 2)
        _ = line.dispatcher.submit(10, now: 0)
        let handle = try #require(line.actions().compactMap(\.dispatched).first).handle
        let session = try #require(line.reference(1))
        #expect(line.dispatcher.lease(of: handle, in: session) == 10)
        #expect(line.dispatcher.finished(handle, in: session) == 10)
        #expect(line.dispatcher.finished(handle, in: session) == nil)
        #expect(line.dispatcher.lease(of: handle, in: session) == nil)
        #expect(line.dispatcher.counters.unknownHandles == 2)
        #expect(line.dispatcher.submit(10, now: 0) == .dispatched)
    }

    @Test func `Recall takes what is unused`() {
        var line = DispatcherHarness()
        line.join(1, credit: 5)
        _ = line.dispatcher.submit(1, now: 0)
        _ = line.dispatcher.submit(2, now: 0)
        _ = line.actions()
        line.send(.recall(Count(1)), from: 1)
        #expect(line.frames(to: 1) == [.recallAck(Count(2))])
        #expect(line.dispatcher.submit(3, now: 0) == .waiting)
    }

    @Test func `Absurd credit ends the session`() {
        var line = DispatcherHarness()
        line.join(1, credit: 1)
        line.send(.credit(Count(.max)), from: 1)
        #expect(line.dispatcher.peerCount == 0)
        line.join(2, credit: 3)
        line.send(.credit(Count(2)), from: 2)
        #expect(line.dispatcher.counters.violations == 2)
    }

    @Test func `The end of a session loses its leases before the peer is down`() throws {
        var line = DispatcherHarness()
        line.join(1, credit: 2)
        let info = try #require(line.dispatcher.info(of: 1))
        _ = line.dispatcher.submit(1, now: 0)
        _ = line.dispatcher.submit(2, now: 0)
        _ = line.actions()
        line.dispatcher.received(
            .reset(Reset(status: .unknownSession)), from: 1,
            header: FrameHeader(kind: .reset, session: line.sessions[1] ?? 0), now: 0)
        #expect(
            line.actions() == [
                .lost(work: 1, peer: 1, .sessionEnded(.unknownSession)),
                .lost(work: 2, peer: 1, .sessionEnded(.unknownSession)),
                .peerDown(info, .unknownSession),
            ])
        #expect(line.dispatcher.leaseCount == 0)
    }

    @Test func `A dispatch that its session did not survive is not done`() {
        var line = DispatcherHarness()
        line.join(1, credit: 1)
        _ = line.dispatcher.submit(1, now: 0)
        line.dispatcher.sendFailed(to: 1)
        let actions = line.actions()
        #expect(actions.compactMap(\.dispatched).isEmpty)
        #expect(actions.first == .lost(work: 1, peer: 1, .sessionEnded(.unavailable)))
    }

    @Test func `A second hello supersedes the first session, an older one does not`() {
        var line = DispatcherHarness()
        line.join(1, attempt: 2, credit: 1)
        _ = line.dispatcher.submit(1, now: 0)
        _ = line.actions()
        let session = line.sessions[1]
        line.hello(Hello(role: .inferenceWorker, epoch: 1, attempt: 1), from: 1)
        #expect(line.actions().isEmpty)
        #expect(line.reference(1)?.session == session)
        line.hello(Hello(role: .inferenceWorker, epoch: 1, attempt: 3), from: 1)
        #expect(line.actions().first == .lost(work: 1, peer: 1, .sessionEnded(.superseded)))
        #expect(line.reference(1)?.session == line.sessions[1])
    }

    @Test func `A cancel removes, or is passed on once`() {
        var line = DispatcherHarness()
        line.join(1, credit: 1)
        _ = line.dispatcher.submit(1, now: 0)
        _ = line.dispatcher.submit(2, now: 0)
        let handle = line.actions().compactMap(\.dispatched).first?.handle ?? 0
        #expect(line.dispatcher.cancel(2) == .removed)
        #expect(line.dispatcher.cancel(2) == .unknown)
        #expect(line.dispatcher.cancel(1) == .passedOn)
        #expect(line.dispatcher.cancel(1) == .passedOn)
        #expect(line.frames(to: 1).filter { $0.kind == .cancel } == [.cancel(Cancel(handle: handle))])
    }

    @Test func `After goodbye there is no new work, and what is held goes on`() throws {
        var line = DispatcherHarness()
        line.join(1, model: "m", credit: 3)
        _ = line.dispatcher.submit(1, now: 0)
        let handle = try #require(line.actions().compactMap(\.dispatched).first).handle
        let session = try #require(line.reference(1))
        line.send(.goodbye, from: 1)
        #expect(line.frames(to: 1) == [.goodbyeAck])
        #expect(line.dispatcher.submit(2, now: 0) == .waiting)
        #expect(!line.dispatcher.hasModel("m"))
        #expect(line.dispatcher.trayTaken(1, in: session) == true)
        #expect(line.frames(to: 1) == [.trayAck(Count(1))])
        line.dispatcher.handedBack(handle, in: session)
        #expect(line.actions() == [.lost(work: 1, peer: 1, .handedBack)])
    }

    @Test func `Trays are acknowledged by quarters of the window`() throws {
        var line = DispatcherHarness(settings: LineSettings(trayWindow: 8))
        line.join(1)
        let session = try #require(line.reference(1))
        for tray in UInt64(1)...4 { #expect(line.dispatcher.trayTaken(tray, in: session) == true) }
        #expect(line.frames(to: 1) == [.trayAck(Count(2)), .trayAck(Count(4))])
        #expect(line.dispatcher.trayTaken(6, in: session) == false)
        #expect(line.dispatcher.peerCount == 0)
    }

    @Test func `Heartbeats go out, and silence ends the session`() {
        var line = DispatcherHarness(settings: LineSettings(heartbeatInterval: 100, silenceLimit: 1000))
        line.join(1)
        var heartbeats = 0
        for _ in 0..<15 {
            line.now += 100
            line.dispatcher.tick(line.now)
            heartbeats += line.frames(to: 1).filter { $0.kind == .heartbeat }.count
        }
        #expect(heartbeats == 10)
        #expect(line.dispatcher.peerCount == 0)
        #expect(line.dispatcher.counters.silences == 1)
    }

    @Test func `Time in which the station itself stood still is not silence`() {
        var line = DispatcherHarness(settings: LineSettings(heartbeatInterval: 100, silenceLimit: 1000))
        line.join(1)
        line.dispatcher.tick(1000)
        line.dispatcher.tick(1_000_000)
        #expect(line.dispatcher.peerCount == 1)
    }

    @Test func `An engine that does not step while it holds work is dead`() throws {
        var line = DispatcherHarness(settings: LineSettings(stepAgeLimit: 500))
        line.join(1, credit: 1)
        _ = line.dispatcher.submit(1, now: 0)
        _ = line.actions()
        func reply(_ held: UInt32, _ age: UInt64) -> ControlFrame {
            .heartbeatReply(HeartbeatReply(originAt: 900, receivedAt: 50, held: held, free: 0, stepAge: age))
        }
        line.send(reply(1, 500), from: 1, sentAt: 60)
        line.send(reply(0, 900), from: 1, sentAt: 60)
        #expect(line.dispatcher.peerCount == 1)
        let session = try #require(line.reference(1))
        #expect(line.dispatcher.clock(of: session).uncertainty == 45)
        line.send(reply(1, 501), from: 1, sentAt: 60)
        let actions = line.actions()
        #expect(actions.contains(.lost(work: 1, peer: 1, .sessionEnded(.timedOut))))
        #expect(line.dispatcher.counters.hungEngines == 1)
    }

    @Test func `A session whose handles run out is renewed when it holds nothing`() throws {
        var line = DispatcherHarness(settings: LineSettings(handlesPerSession: 2))
        line.join(1, credit: 4)
        _ = line.dispatcher.submit(1, now: 0)
        _ = line.dispatcher.submit(2, now: 0)
        #expect(line.dispatcher.submit(3, now: 0) == .waiting)
        let handles = line.actions().compactMap(\.dispatched).map(\.handle)
        let session = try #require(line.reference(1))
        line.dispatcher.finished(handles[0], in: session)
        #expect(line.dispatcher.peerCount == 1)
        line.dispatcher.finished(handles[1], in: session)
        #expect(line.dispatcher.peerCount == 0)
        #expect(line.frames(to: 1) == [.reset(Reset(status: .ok))])
        line.join(1, attempt: 2)
        line.send(.credit(Count(4)), from: 1)
        #expect(line.actions().compactMap(\.dispatched).map(\.work) == [3])
    }

    @Test func `Without leases there are sessions and heartbeats only`() throws {
        var line = DispatcherHarness(leases: false)
        line.join(1)
        #expect(line.dispatcher.submit(1, now: 0) == .refused(.unavailable))
        let header = line.header(.record, from: 1)
        let accepted = line.dispatcher.accepts(header, from: 1, now: 0)
        let session = try #require(accepted)
        #expect(line.dispatcher.nextStamp(to: 1, session: session.session).sequence == 1)
        #expect(line.dispatcher.nextStamp(to: 1, session: session.session).sequence == 2)
        #expect(line.dispatcher.nextStamp(to: 1, session: 3).sequence == 0)
        line.send(.credit(Count(1)), from: 1)
        #expect(line.dispatcher.peerCount == 0)
    }

    @Test func `A probe goes down and comes back`() {
        var line = DispatcherHarness()
        line.join(1)
        line.dispatcher.probe(6, to: 1)
        #expect(line.frames(to: 1) == [.probe(Count(6))])
        line.send(.probeReply(Count(6)), from: 1)
        #expect(line.actions() == [.probeReply(peer: 1, number: 6)])
    }

    @Test func `A station that drains refuses hellos, and tells all when it closes`() {
        var line = DispatcherHarness()
        line.join(1)
        line.dispatcher.drain()
        line.hello(Hello(role: .inferenceWorker, epoch: 5), from: 2)
        #expect(line.frames(to: 2) == [.reset(Reset(status: .draining))])
        #expect(line.dispatcher.peerCount == 1)
        line.dispatcher.close()
        #expect(line.frames(to: 1) == [.reset(Reset(status: .draining))])
    }

    @Test func `Frames that come from above only are a violation`() {
        for frame in [
            ControlFrame.welcome(
                Welcome(
                    role: .ingest, epoch: 1, session: 1, window: 1, heartbeatMilliseconds: 1, timeoutMilliseconds: 1)),
            .heartbeat(Heartbeat(waiting: 0, traysTaken: 0)), .recallAck(Count(0)), .demand(Count(0)), .goodbyeAck,
            .trayAck(Count(0)), .cancel(Cancel(handle: 0)), .probe(Count(0)),
        ] {
            var line = DispatcherHarness()
            line.join(1)
            line.send(frame, from: 1)
            #expect(line.frames(to: 1) == [.reset(Reset(status: .protocolViolation))])
            #expect(line.dispatcher.counters.violations == 1)
        }
    }
}
