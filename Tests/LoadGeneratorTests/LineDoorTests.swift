import Line
import Station
import Testing
import Transport
import Wire

@testable import LoadGenerator

/// The ZeroMQ door against a small ingest that answers by itself.
@Suite(.timeLimit(.minutes(5)))
struct LineDoorTests {
    @Test func manyRequestsShareConnections() async throws {
        let ingest = try await SmallIngest.make()
        let door = try await LineDoor.connect(to: ingest.address, key: "k", connections: 3, timeout: 30)
        #expect(try await door.servedModel() == "small")
        let settings = LoadSettings(
            arrival: .closed(streams: 16), requests: 100, maximumTokens: 5, wantsHops: true, keepsText: true)
        let report = await LoadRun(settings: settings, prompts: .builtIn, door: door, model: "small").perform()
        #expect(report.completed == 100 && report.isFlawless)
        #expect(report.tokens == 500 && report.promptTokens == 700)
        #expect(report.answers.map(\.index) == Array(0..<100))
        #expect(report.answers.allSatisfy { $0.text == "one two three four five " && $0.finish == "length" })
        #expect(report.itl.count == 400 && report.ttft.count == 100)
        #expect(report.hops.count == 100 && report.hops.incomplete == 0)
        #expect(await ingest.peers == 3)
        #expect(await ingest.keys == ["k"])
        await door.close()
        await ingest.stop()
    }

    @Test func whatTheIngestRefusesIsAnError() async throws {
        let ingest = try await SmallIngest.make(refuses: true)
        let door = try await LineDoor.connect(to: ingest.address, key: nil, connections: 1, timeout: 30)
        let report = await LoadRun(
            settings: .init(requests: 2), prompts: .builtIn, door: door, model: "small"
        ).perform()
        #expect(report.refused == 2 && report.failed == 0 && report.errors == ["too busy": 2])
        #expect(report.missing == 2 && !report.isFlawless)
        await door.close()
        await ingest.stop()
    }

    @Test func anIngestThatGoesEndsWhatIsUnderWay() async throws {
        let ingest = try await SmallIngest.make(answers: false)
        let door = try await LineDoor.connect(to: ingest.address, key: nil, connections: 2, timeout: 30)
        _ = try await door.servedModel()
        async let report = LoadRun(
            settings: .init(arrival: .closed(streams: 4), requests: 4), prompts: .builtIn, door: door, model: "small"
        ).perform()
        await ingest.received(4)
        await ingest.leave()
        #expect(await report.failed == 4)
        await door.close()
        await ingest.stop()
    }

    @Test func cancelledRequestsAreAClassOfTheirOwn() async throws {
        let ingest = try await SmallIngest.make()
        let door = try await LineDoor.connect(to: ingest.address, key: nil, connections: 2, timeout: 30)
        var settings = LoadSettings(arrival: .closed(streams: 3), requests: 12, maximumTokens: 5)
        settings.cancelRate = 1
        let report = await LoadRun(settings: settings, prompts: .builtIn, door: door, model: "small").perform()
        #expect(report.cancelled == 12 && report.completed == 0 && report.failed == 0 && report.isFlawless)
        await ingest.cancelled(12)
        await door.close()
        await ingest.stop()
    }

    @Test func eachRequestMayHaveAnIdempotencyKeyOfItsOwn() async throws {
        let ingest = try await SmallIngest.make()
        let door = try await LineDoor.connect(to: ingest.address, key: nil, connections: 2, timeout: 30)
        for isKeyed in [false, true] {
            var settings = LoadSettings(arrival: .closed(streams: 3), requests: 12, maximumTokens: 5)
            settings.hasKeys = isKeyed
            _ = await LoadRun(settings: settings, prompts: .builtIn, door: door, model: "small").perform()
            #expect(await ingest.idempotencyKeys.subtracting([""]).count == (isKeyed ? 12 : 0))
        }
        await door.close()
        await ingest.stop()
    }

    @Test func silenceIsGivenUp() async throws {
        let ingest = try await SmallIngest.make(answers: false)
        let door = try await LineDoor.connect(to: ingest.address, key: nil, connections: 1, timeout: 0.05)
        let report = await LoadRun(settings: .init(requests: 1), prompts: .builtIn, door: door, model: "m").perform()
        #expect(report.errors == ["no word for too long": 1])
        await ingest.cancelled(1)
        await door.close()
        await ingest.stop()
    }

    @Test func aBadAddressIsSaid() async {
        await #expect(throws: LoadError.self) {
            try await LineDoor.connect(to: "tcp://nowhere", key: nil, connections: 1, timeout: 1)
        }
    }
}

private actor SmallIngest {
    nonisolated let reactor: Reactor
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe reactor.asUnownedSerialExecutor() }
    nonisolated let address: String

    private let context: Context
    private let link: UpperLink
    private let answers: Bool
    private let refuses: Bool
    private var frame = FrameBuffer(capacity: 1024)
    private var sessions: [SessionRef] = []
    private var submitted = 0
    private var cancels = 0
    private var waiters: [CheckedContinuation<Void, Never>] = []
    private(set) var keys: Set<String> = []
    private(set) var idempotencyKeys: Set<String> = []

    static func make(answers: Bool = true, refuses: Bool = false) async throws -> SmallIngest {
        let ingest = try SmallIngest(answers: answers, refuses: refuses)
        await ingest.start()
        return ingest
    }

    private init(answers: Bool, refuses: Bool) throws {
        self.answers = answers
        self.refuses = refuses
        reactor = try Reactor(name: "small ingest")
        context = try Context()
        var dispatcher = Dispatcher(role: .ingest, epoch: 7, name: "small", acceptedRoles: [.client], leases: false)
        dispatcher.model = "small"
        link = try UpperLink(context, bind: Endpoint("tcp://127.0.0.1:0"), dispatcher: dispatcher)
        address = link.endpoint.description
    }

    private func start() {
        link.attach(to: reactor) { [weak self] in self?.assumeIsolated { $0.drain() } }
        reactor.setTick(every: 20_000_000) { [weak self] in self?.assumeIsolated { $0.tick() } }
    }

    var peers: Int { sessions.count }

    func received(_ count: Int) async { await until { submitted >= count } }
    func cancelled(_ count: Int) async { await until { cancels >= count } }

    private func until(_ condition: () -> Bool) async {
        while !condition() { await withCheckedContinuation { waiters.append($0) } }
    }

    /// Ends all sessions.
    func leave() {
        link.dispatcher.close()
        perform()
    }

    func stop() {
        link.detach()
        reactor.stop()
    }

    private func tick() {
        link.dispatcher.tick(MonotonicClock.now())
        perform()
    }

    private func drain() {
        do {
            try link.drain { header, bytes, session, now throws(WireError) in
                switch header.kind {
                case .submit: answer(try Submit(decoding: bytes, header: header), session, now)
                case .cancel: cancels += 1
                default: break
                }
            }
        } catch {
            Issue.record(error)
        }
        perform()
        for waiter in waiters { waiter.resume() }
        waiters = []
    }

    private func perform() {
        link.perform { action in
            if case .peerUp(let info) = action { sessions.append(info.session) }
        }
    }

    private func answer(_ submit: Submit, _ session: SessionRef, _ now: UInt64) {
        submitted += 1
        keys.insert(submit.key)
        idempotencyKeys.insert(submit.idempotencyKey)
        guard answers else { return }
        if refuses {
            let reason = Array("too busy".utf8)
            send(
                TextBatch(
                    rows: [
                        TextRow(
                            handle: submit.handle, tokenCount: 0, finish: .failed, status: .busy, position: 0,
                            textLength: UInt32(reason.count))
                    ], text: reason), session)
            return
        }
        let words = ["one ", "two ", "three ", "four ", "five "]
        for (position, word) in words.enumerated() {
            let isLast = position == words.count - 1
            var batch = TextBatch(tray: UInt64(position + 1))
            batch.rows = [
                TextRow(
                    handle: submit.handle, tokenCount: 1, finish: isLast ? .length : .none, position: UInt32(position),
                    textLength: UInt32(word.utf8.count), promptTokens: position == 0 || isLast ? 7 : 0)
            ]
            batch.tokens = [UInt32(position)]
            batch.text = Array(word.utf8)
            if isLast, submit.body.wantsHops { batch.hops = hops(submit.handle, now) }
            send(batch, session)
        }
    }

    private func hops(_ handle: UInt32, _ now: UInt64) -> [HopRecord] {
        [StationRole.ingest, .tokenizer, .inferenceWorker].flatMap { station in
            HopPhase.allCases.map {
                HopRecord(handle: handle, station: station, phase: $0, receivedAt: now, begunAt: now, sentAt: now)
            }
        }
    }

    private func send(_ batch: TextBatch, _ session: SessionRef) {
        batch.encode(kind: .output, into: &frame, session: session.session)
        if link.send(&frame, to: session) != .sent { Issue.record("not sent") }
    }
}
