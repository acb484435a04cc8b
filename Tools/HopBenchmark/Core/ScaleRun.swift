/// Throughput of the control plane alone, its cost by service, and how it keeps up with many simulated workers.
public struct ScaleRun {
    private let settings: ScaleSettings
    private let onProgress: (String) -> Void

    public init(_ settings: ScaleSettings, onProgress: @escaping (String) -> Void = { _ in }) {
        self.settings = settings
        self.onProgress = onProgress
    }

    public func perform() async throws(BenchError) -> ScaleReport {
        let machine = Machine.current()
        let tool = try LoadTool(programs: settings.programs, wrk: settings.wrk ?? "")
        let before = try WakeFloor.measure()
        var throughput: [ThroughputFigures] = []
        for hasAccounting in settings.accounting {
            throughput += try await measureDoors(tool, hasAccounting: hasAccounting)
        }
        if settings.hasCURVE { throughput += try await measureDoors(tool, hasAccounting: true, hasKeys: true) }
        let workers = try await measureWorkers(tool)
        return ScaleReport(
            machine: machine, floors: FloorPair(before: before, after: try WakeFloor.measure()),
            promptTokens: settings.promptTokens, maximumTokens: settings.maximumTokens, seconds: settings.seconds,
            rounds: settings.rounds, throughput: throughput, workers: workers)
    }

    private func measureDoors(
        _ tool: LoadTool, hasAccounting: Bool, hasKeys: Bool = false
    ) async throws(BenchError) -> [ThroughputFigures] {
        var figures: [ThroughputFigures] = []
        guard !settings.streams.isEmpty else { return [] }
        let cluster = try BenchCluster(
            ClusterShape(
                programs: settings.programs, slots: 1024,
                hasAccounting: hasAccounting, hasKeys: hasKeys))
        defer { cluster.stop() }
        let model = try await awaitLine(cluster)
        for streams in settings.streams {
            figures.append(
                try measure(hasKeys ? "ZeroMQ+CURVE" : "ZeroMQ", streams, hasAccounting, cluster) {
                    () throws(BenchError) in
                    try tool.line(
                        cluster.door, serverKey: cluster.serverKey, streams: streams,
                        promptTokens: settings.promptTokens,
                        maximumTokens: settings.maximumTokens, seconds: settings.seconds)
                })
            guard settings.wrk != nil, !hasKeys else { continue }
            figures.append(
                try measure("HTTP", streams, hasAccounting, cluster) { () throws(BenchError) in
                    try tool.http(
                        cluster.http, model: model, streams: streams, promptTokens: settings.promptTokens,
                        maximumTokens: settings.maximumTokens, seconds: settings.seconds)
                })
        }
        return figures
    }

    private func measure(
        _ door: String, _ streams: Int, _ hasAccounting: Bool, _ cluster: BenchCluster,
        _ load: () throws(BenchError) -> LoadResult
    ) throws(BenchError) -> ThroughputFigures {
        let rounds = try measure(cluster, load) {
            onProgress("\(door), \(streams) streams, accounting \(hasAccounting ? "on" : "off"), round \($0)")
        }
        return ThroughputFigures(
            door: door, streams: streams, hasAccounting: hasAccounting, tokensPerSecond: rounds.rate,
            failures: rounds.failures, processorSecondsPerMillion: rounds.costs)
    }

    /// What all rounds of one load gave.
    private struct Rounds {
        var rate: Spread
        var failures: Int
        var costs: [String: Double]
    }

    private func measure(
        _ cluster: BenchCluster, _ load: () throws(BenchError) -> LoadResult, onRound: (Int) -> Void
    ) throws(BenchError) -> Rounds {
        var rates: [Double] = []
        var costs: [String: [Double]] = [:]
        var failures = 0
        for number in 0..<settings.rounds {
            onRound(number + 1)
            let before = try cluster.processorTime()
            let result = try load()
            rates.append(result.tokensPerSecond)
            failures += result.failures
            guard result.tokens > 0 else { continue }
            for (service, after) in try cluster.processorTime() {
                let used = Double(after - before[service, default: 0])
                costs[service, default: []].append(used / 1e9 / result.tokens * 1e6)
            }
        }
        guard let rate = Spread(rates) else { throw .usage("at least one round is needed") }
        return Rounds(rate: rate, failures: failures, costs: costs.compactMapValues { Spread($0)?.median })
    }

    private func measureWorkers(_ tool: LoadTool) async throws(BenchError) -> [WorkerFigures] {
        var figures: [WorkerFigures] = []
        // One worker's rate is what the ideal is made of.
        for workers in settings.workers.isEmpty ? [] : Set(settings.workers + [1]).sorted() {
            onProgress("\(workers) simulated workers")
            let cluster = try BenchCluster(
                ClusterShape(
                    programs: settings.programs, workers: workers, slots: settings.streamsPerWorker, timeScale: 1))
            defer { cluster.stop() }
            _ = try await awaitLine(cluster)
            let streams = workers * settings.streamsPerWorker
            let rounds = try measure(
                cluster,
                { () throws(BenchError) in
                    try tool.line(
                        cluster.door, streams: streams, promptTokens: settings.promptTokens,
                        maximumTokens: settings.maximumTokens, seconds: settings.seconds)
                }, onRound: { _ in })
            let one = figures.first?.tokensPerSecond.median ?? rounds.rate.median
            figures.append(
                WorkerFigures(
                    workers: workers, streams: streams, tokensPerSecond: rounds.rate, ideal: one * Double(workers),
                    failures: rounds.failures, processorSecondsPerMillion: rounds.costs))
        }
        return figures
    }

    /// Returns when a request has gone down the line and come back, with the name of the model.
    private func awaitLine(_ cluster: BenchCluster) async throws(BenchError) -> String {
        let probe = try await LineRun.connect(cluster.door, serverKey: cluster.serverKey)
        let model = await probe.model
        await probe.stop()
        return model
    }
}
