import Synchronization
import Transport
import Wire

/// Sends the requests of a run through a door and gathers what becomes of them.
public struct LoadRun: Sendable {
    private let settings: LoadSettings
    private let prompts: PromptSource
    private let door: any LoadDoor
    private let model: String
    private let onProgress: @Sendable (LoadProgress) -> Void

    /// - Parameter onProgress: called with each request that is sent or ends, on any thread.
    public init(
        settings: LoadSettings, prompts: PromptSource, door: any LoadDoor, model: String,
        onProgress: @escaping @Sendable (LoadProgress) -> Void = { _ in }
    ) {
        self.settings = settings
        self.prompts = prompts
        self.door = door
        self.model = model
        self.onProgress = onProgress
    }

    /// Runs until every request that was sent has ended.
    public func perform() async -> LoadReport {
        let recorder = Recorder(
            LoadReport(settings: settings, model: model, startedAt: MonotonicClock.now()), onProgress)
        switch settings.arrival {
        case .closed(let streams): await closed(streams, recorder)
        case .open(let rate): await open(rate, recorder)
        }
        return recorder.report
    }

    private func closed(_ streams: Int, _ recorder: Recorder) async {
        let tickets = Tickets(limit: settings.requests ?? (settings.duration == nil ? streams : Int.max))
        let end = settings.duration.map { MonotonicClock.now() + UInt64($0 * 1e9) } ?? .max
        await withDiscardingTaskGroup { group in
            for _ in 0..<max(1, streams) {
                group.addTask {
                    while MonotonicClock.now() < end, let index = tickets.take() {
                        recorder.sent()
                        recorder.ended(await send(index, intendedAt: nil))
                    }
                }
            }
        }
    }

    private func open(_ rate: Double, _ recorder: Recorder) async {
        var schedule = ArrivalSchedule(rate: rate, seed: settings.seed)
        let start = MonotonicClock.now()
        let clock = ContinuousClock()
        let origin = clock.now
        let limit = settings.requests ?? (settings.duration == nil ? Int(rate.rounded(.up)) : Int.max)
        let duration = settings.duration.map { UInt64($0 * 1e9) } ?? .max
        await withDiscardingTaskGroup { group in
            for index in 0..<limit {
                let offset = schedule.next()
                guard offset <= duration else { break }
                // Fails only when the run is cancelled.
                guard (try? await clock.sleep(until: origin + .nanoseconds(Int64(offset)), tolerance: .zero)) != nil
                else { break }
                recorder.sent()
                group.addTask { recorder.ended(await send(index, intendedAt: start + offset)) }
            }
        }
    }

    private func send(_ index: Int, intendedAt: UInt64?) async -> LoadOutcome {
        var generator = SeededGenerator(seed: settings.seed &+ UInt64(index) &* 0x9FB2_1C65_1E98_DF25)
        var system = SystemRandomNumberGenerator()
        let request = LoadRequest(
            index: index, id: RequestID(high: system.next(), low: system.next() | 1), model: model,
            prompt: prompts.prompt(index), maximumTokens: settings.maximumTokens, temperature: settings.temperature,
            ignoresEndOfSequence: settings.ignoresEndOfSequence, wantsHops: settings.wantsHops,
            keepsText: settings.keepsText, seed: generator.next())
        let now = MonotonicClock.now()
        var outcome = await door.perform(request)
        outcome.intendedAt = intendedAt ?? now
        return outcome
    }
}

/// How far a run is.
public struct LoadProgress: Equatable, Sendable {
    public var sent: Int
    public var ended: Int
    public var failed: Int
    public var tokens: Int
}

/// Gathers outcomes from all tasks.
private final class Recorder: Sendable {
    private let state: Mutex<LoadReport>
    private let onProgress: @Sendable (LoadProgress) -> Void

    init(_ report: LoadReport, _ onProgress: @escaping @Sendable (LoadProgress) -> Void) {
        state = Mutex(report)
        self.onProgress = onProgress
    }

    var report: LoadReport { state.withLock { $0 } }

    func sent() { state.withLock { $0.sent += 1 } }

    func ended(_ outcome: LoadOutcome) {
        let progress = state.withLock { report in
            report.add(outcome)
            return LoadProgress(sent: report.sent, ended: report.ended, failed: report.failed, tokens: report.tokens)
        }
        onProgress(progress)
    }
}

/// Numbers from 0 up to a limit.
private final class Tickets: Sendable {
    private let taken = Mutex(0)
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    func take() -> Int? {
        taken.withLock { taken in
            guard taken < limit else { return nil }
            defer { taken += 1 }
            return taken
        }
    }
}
