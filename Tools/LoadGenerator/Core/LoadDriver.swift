import Foundation
import Synchronization
import Transport
import Wire

/// Keeps a run's requests coming. What ends a request begins the next one, on the thread that says so: no task and no
/// hop between threads stands between an answer and the request after it.
final class LoadDriver: Sendable {
    private let settings: LoadSettings
    private let workload: Workload
    private let door: any LoadDoor
    private let model: String
    private let onProgress: @Sendable (LoadProgress) -> Void
    /// Upper half of this run's request ids.
    private let run = UInt64.random(in: 1...UInt64.max)
    private let state: Mutex<State>

    private struct State {
        var log = RequestLog()
        var sent = 0
        /// Requests that may be sent in all.
        var limit = Int.max
        /// No request is sent after this.
        var end = UInt64.max
        /// Streams, or the open loop's schedule, that may send more; and requests under way.
        var sources = 0
        var underWay = 0
        /// When all sources had begun, and when the first of them had no more to send.
        var steadyFrom: UInt64?
        var steadyTo: UInt64?
        var waiter: CheckedContinuation<Void, Never>?

        var progress: LoadProgress {
            LoadProgress(
                sent: sent, ended: log.records.count, failed: log.failed + log.refused, tokens: log.tokens)
        }
    }

    init(
        settings: LoadSettings, workload: Workload, door: any LoadDoor, model: String,
        _ onProgress: @escaping @Sendable (LoadProgress) -> Void
    ) {
        self.settings = settings
        self.workload = workload
        self.door = door
        self.model = model
        self.onProgress = onProgress
        state = Mutex(State())
    }

    func perform() async -> LoadReport {
        let startedAt = MonotonicClock.now()
        let cpuAtStart = ProcessTime.now()
        switch settings.arrival {
        case .closed(let streams): await closed(max(1, streams), startedAt)
        case .open(let pattern): await open(pattern, startedAt)
        }
        let cpu = ProcessTime.now() - cpuAtStart
        return state.withLock { state in
            LoadReport(
                settings: settings, model: model, log: state.log, sent: state.sent, startedAt: startedAt,
                steadyFrom: state.steadyFrom ?? startedAt, steadyTo: state.steadyTo, processSeconds: cpu)
        }
    }

    // MARK: Closed loop

    private func closed(_ streams: Int, _ startedAt: UInt64) async {
        await withCheckedContinuation { waiter in
            state.withLock { state in
                state.limit = settings.requests ?? (settings.duration == nil ? streams : Int.max)
                state.end = settings.duration.map { startedAt + UInt64($0 * 1e9) } ?? .max
                state.sources = streams
                state.waiter = waiter
            }
            for _ in 0..<streams { continueStream() }
            state.withLock { $0.steadyFrom = $0.steadyFrom ?? MonotonicClock.now() }
        }
    }

    private func continueStream() {
        let now = MonotonicClock.now()
        let index = state.withLock { state in take(&state, now) }
        if let index { send(index, intendedAt: now) } else { settle() }
    }

    /// The next request of a stream; nil: the stream is over.
    private func take(_ state: inout State, _ now: UInt64) -> Int? {
        guard state.sent < state.limit, now < state.end else {
            state.sources -= 1
            if state.steadyTo == nil { state.steadyTo = now }
            return nil
        }
        defer {
            state.sent += 1
            state.underWay += 1
        }
        return state.sent
    }

    // MARK: Open loop

    private func open(_ pattern: ArrivalPattern, _ startedAt: UInt64) async {
        await withCheckedContinuation { waiter in
            state.withLock { state in
                state.sources = 1
                state.steadyFrom = startedAt
                state.waiter = waiter
            }
            // A thread of its own: tasks wake up late when the machine is busy, which it is meant to be.
            let pacer = Thread { [self] in pace(pattern, startedAt) }
            pacer.name = "loadgen pacer"
            pacer.start()
        }
    }

    private func pace(_ pattern: ArrivalPattern, _ startedAt: UInt64) {
        let limit = pattern.limit(requests: settings.requests, duration: settings.duration)
        let duration = settings.duration.map { UInt64($0 * 1e9) } ?? .max
        var schedule = ArrivalSchedule(pattern, requests: settings.requests, seed: settings.seed)
        var last = startedAt
        for index in 0..<limit {
            guard let offset = schedule.next(), offset <= duration else { break }
            let due = startedAt + offset
            while true {
                let now = MonotonicClock.now()
                guard now < due else { break }
                Thread.sleep(forTimeInterval: Double(due - now) / 1e9)
            }
            state.withLock { state in
                state.sent += 1
                state.underWay += 1
            }
            send(index, intendedAt: due)
            last = due
        }
        state.withLock { state in
            state.sources = 0
            state.steadyTo = settings.duration.map { startedAt + UInt64($0 * 1e9) } ?? last
        }
        settle()
    }

    // MARK: Both

    private func send(_ index: Int, intendedAt: UInt64) {
        let item = workload.item(index)
        let request = LoadRequest(
            index: index, id: RequestID(high: run, low: UInt64(index) + 1), model: model, prompt: item.prompt,
            maximumTokens: item.maximumTokens, temperature: settings.temperature,
            ignoresEndOfSequence: settings.ignoresEndOfSequence, wantsHops: settings.wantsHops,
            keepsText: settings.keepsText, hasKey: settings.hasKeys, seed: item.seed, cancelAfter: item.cancelAfter,
            intendedAt: intendedAt)
        door.begin(request) { [self] outcome in ended(outcome) }
    }

    private func ended(_ outcome: LoadOutcome) {
        let isClosed = if case .closed = settings.arrival { true } else { false }
        // The service asks for a pause, or is not there: a stream that asks again at once would only fail faster.
        let pauses = isClosed && (outcome.fate == .refused || outcome.fate == .failed)
        let now = MonotonicClock.now()
        let (progress, next) = state.withLock { state in
            state.underWay -= 1
            state.log.add(outcome, wantsHops: settings.wantsHops, keepsText: settings.keepsText)
            let next = isClosed && !pauses ? take(&state, now) : nil
            return (state.progress, next)
        }
        onProgress(progress)
        if let next {
            send(next, intendedAt: now)
        } else if pauses {
            Task {
                // Fails only when cancelled, which nobody does.
                try? await Task.sleep(for: .milliseconds(10))
                continueStream()
            }
        } else {
            settle()
        }
    }

    /// Ends the run when nothing is left.
    private func settle() {
        let waiter = state.withLock { state in
            state.sources == 0 && state.underWay == 0 ? state.waiter.take() : nil
        }
        waiter?.resume()
    }
}

/// What this process has used of processors.
enum ProcessTime {
    /// Seconds, of all threads, user and kernel.
    static func now() -> Double { Double(clock()) / Double(CLOCKS_PER_SEC) }
}
