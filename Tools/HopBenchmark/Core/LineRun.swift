import Transport

/// Measures the whole line beside the relay chain, and takes its latency apart.
public struct LineRun {
    private let settings: LineBenchSettings
    private let onProgress: (String) -> Void

    public init(_ settings: LineBenchSettings, onProgress: @escaping (String) -> Void = { _ in }) {
        self.settings = settings
        self.onProgress = onProgress
    }

    /// Round trips of one round, by what was measured.
    private struct Round {
        var chain: [UInt64] = []
        var samples: [LineSample] = []
        var stamped: [UInt64] = []
        var plain: [UInt64] = []
        var http: [UInt64] = []
        var pingPong: [UInt64] = []
        var encrypted: [UInt64] = []
        var encryptedChain: [UInt64] = []
    }

    /// A line and a relay chain with CURVE, beside the plain ones.
    private struct Encrypted {
        var probe: LineProbe
        var chain: RelayChain
    }

    /// What a request measures.
    private enum Kind: CaseIterable {
        case chain
        case line
        case http
        case pingPong
        case encrypted
        case encryptedChain
    }

    /// Typical lengths: a request of these token ids, and an answer of one token with nine hop records.
    private var messageBytes: (down: Int, up: Int) { (172 + 4 * settings.promptTokens, 400) }

    public func perform() async throws(BenchError) -> LineReport {
        guard settings.hasCURVE, settings.running == nil else { return try await perform(nil) }
        onProgress("starting a cluster with keys")
        let cluster = try BenchCluster(shape(hasKeys: true))
        defer { cluster.stop() }
        let keys: KeyPair
        do throws(TransportError) { keys = try .generate() } catch { throw .hop("\(error)") }
        let chain = try RelayChain(keys: keys)
        defer { chain.stop() }
        let probe = try await Self.connect(
            cluster.door, serverKey: cluster.serverKey, promptTokens: settings.promptTokens)
        let result: Result<LineReport, BenchError>
        do throws(BenchError) {
            result = .success(try await perform(Encrypted(probe: probe, chain: chain)))
        } catch {
            result = .failure(error)
        }
        await probe.stop()
        return try result.get()
    }

    private func shape(hasKeys: Bool) -> ClusterShape {
        ClusterShape(
            programs: settings.programs, contextLength: max(8192, 2 * settings.promptTokens),
            hasAccounting: settings.hasAccounting, hasKeys: hasKeys)
    }

    private func perform(_ encrypted: Encrypted?) async throws(BenchError) -> LineReport {
        let machine = Machine.current()
        let cluster: BenchCluster?
        let door: String
        let http: String?
        if let running = settings.running {
            (cluster, door, http) = (nil, running.door, running.http)
        } else {
            onProgress("starting a cluster")
            let own = try BenchCluster(shape(hasKeys: false))
            (cluster, door, http) = (own, own.door, own.http)
        }
        defer { cluster?.stop() }
        let probe = try await Self.connect(
            door, key: settings.key, serverKey: settings.serverKey, promptTokens: settings.promptTokens)
        let report: LineReport
        do throws(BenchError) {
            var client: HTTPProbe?
            if let http {
                client = try HTTPProbe(
                    http, model: await probe.model, key: settings.key, promptTokens: settings.promptTokens)
            }
            report = try await measure(machine, probe, client, encrypted)
        } catch {
            await probe.stop()
            throw error
        }
        await probe.stop()
        return report
    }

    static func connect(
        _ door: String, key: String = "", serverKey: String = "", promptTokens: Int = 32
    ) async throws(BenchError) -> LineProbe {
        let probe: LineProbe
        do throws(TransportError) {
            probe = try LineProbe(
                Context(), door: door, key: key, serverKey: serverKey, promptTokens: promptTokens)
        } catch {
            throw .cluster("\(error)")
        }
        try await probe.connect()
        return probe
    }

    private func measure(
        _ machine: Machine, _ probe: LineProbe, _ http: HTTPProbe?, _ encrypted: Encrypted?
    ) async throws(BenchError) -> LineReport {
        if let http { try Self.check(http) }
        let chain = try RelayChain()
        defer { chain.stop() }
        let bare = try BarePingPong()
        defer { bare.stop() }
        let before = try WakeFloor.measure()
        var pingPong = Latencies()
        var breakdown = HopBreakdown()
        var doors: [DoorFigures] = []
        var stamping: Spread?
        for (place, mode) in settings.modes.enumerated() {
            var rounds: [Round] = []
            for number in 0..<settings.rounds {
                onProgress("\(mode.rawValue), round \(number + 1) of \(settings.rounds)")
                let round = try await run(mode, number, chain, bare, probe, http, encrypted)
                if place == 0 {
                    for sample in round.samples where sample.wantedHops { breakdown.add(sample) }
                    pingPong.record(round.pingPong)
                }
                rounds.append(round)
            }
            doors += Self.doors(mode, rounds)
            if place == 0 { stamping = Self.ratio(rounds.map { ($0.stamped, $0.plain) }, 50) }
        }
        guard let stamping, let hops = Self.figures(breakdown, pingPong.summary) else {
            throw .cluster("no request came back with a whole hop vector")
        }
        return LineReport(
            machine: machine, floors: FloorPair(before: before, after: try WakeFloor.measure()),
            rounds: settings.rounds, hasAccounting: settings.hasAccounting,
            promptTokens: settings.promptTokens, messageBytes: [messageBytes.down, messageBytes.up], doors: doors,
            hops: hops, stampingRatio: stamping)
    }

    /// What is measured takes turns in being first, so that a drift of the machine favours none.
    private func run(
        _ mode: BenchMode, _ number: Int, _ chain: RelayChain, _ bare: BarePingPong, _ probe: LineProbe,
        _ http: HTTPProbe?, _ encrypted: Encrypted?
    ) async throws(BenchError) -> Round {
        let count = mode == .idle ? settings.idleRequests : settings.requests
        let kinds = Kind.allCases
        var round = Round()
        for step in kinds.indices {
            let kind = kinds[(step + number) % kinds.count]
            let requests = LineRound(mode, count: count)
            switch kind {
            case .chain:
                round.chain = try chain.run(requests, down: messageBytes.down, up: messageBytes.up)
            case .line:
                round.samples = try await probe.run(LineRound(mode, count: 2 * count, stamping: .everyOther))
                round.stamped = round.samples.filter(\.wantedHops).map(\.latency)
                round.plain = round.samples.filter { !$0.wantedHops }.map(\.latency)
            case .http: round.http = try http?.run(requests) ?? []
            case .pingPong:
                round.pingPong = try bare.run(requests, down: messageBytes.down, up: messageBytes.up)
            case .encrypted:
                round.encrypted = try await encrypted?.probe.run(requests).map(\.latency) ?? []
            case .encryptedChain:
                round.encryptedChain =
                    try encrypted?.chain.run(requests, down: messageBytes.down, up: messageBytes.up) ?? []
            }
        }
        return round
    }

    private static func doors(_ mode: BenchMode, _ rounds: [Round]) -> [DoorFigures] {
        let doors: [(String, (Round) -> [UInt64], (Round) -> [UInt64])] = [
            ("ZeroMQ", { $0.plain }, { $0.chain }), ("HTTP", { $0.http }, { $0.chain }),
            ("ZeroMQ+CURVE", { $0.encrypted }, { $0.encryptedChain }),
        ]
        return doors.enumerated().compactMap { place, door in
            let (name, samples, floor) = door
            var latencies = Latencies()
            var chain = Latencies()
            for round in rounds {
                latencies.record(samples(round))
                chain.record(floor(round))
            }
            let pairs = rounds.filter { !samples($0).isEmpty }.map { (samples($0), floor($0)) }
            guard let p50 = ratio(pairs, 50), let p99 = ratio(pairs, 99) else { return nil }
            return DoorFigures(
                door: name, mode: mode, latency: latencies.summary, curve: latencies.curve, chain: chain.summary,
                chainCurve: chain.curve, p50Ratio: p50, p99Ratio: p99, isEncrypted: place == 2)
        }
    }

    private static func ratio(_ pairs: [([UInt64], [UInt64])], _ percent: Double) -> Spread? {
        Spread(pairs.map { (Latencies($0).percentile(percent), Latencies($1).percentile(percent)) })
    }

    private static func figures(_ breakdown: HopBreakdown, _ pingPong: LatencySummary) -> HopFigures? {
        guard let atP50 = breakdown.residualShare(atQuantile: 0.5),
            let atP99 = breakdown.residualShare(atQuantile: 0.99)
        else { return nil }
        let typical = [0.5, 0.99].compactMap { quantile in
            breakdown.request(atQuantile: quantile).map {
                TypicalRequest(
                    quantile: quantile, latencyNanoseconds: $0.latency, residualNanoseconds: $0.residual,
                    stretches: $0.stretches)
            }
        }
        let links = LineLink.allCases.map { link in
            let latency = breakdown.summary(ofBothWaysOn: link)
            return LinkFigures(
                link: link, latency: latency, overPingPong: pingPong.p50 > 0 ? latency.p50 / pingPong.p50 : 0)
        }
        return HopFigures(
            requests: breakdown.requests.count, incomplete: breakdown.incomplete,
            stretches: breakdown.order.map { StretchFigures(stretch: $0, latency: breakdown.summary(of: $0)) },
            links: links,
            pingPong: pingPong, residualAtP50: atP50, residualAtP99: atP99, typical: typical)
    }

    /// One answer, read: a fast refusal must not pass for a fast answer.
    private static func check(_ http: HTTPProbe) throws(BenchError) {
        let answer = try http.ask()
        guard answer.contains("\"completion_tokens\":1") else {
            throw .cluster("the HTTP door's answer is not of one token: \(answer)")
        }
    }
}
