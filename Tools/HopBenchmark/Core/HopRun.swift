import Glibc
import Transport

/// Measures hops beside the bare ping-pong and gRPC, in rounds that alternate.
public struct HopRun {
    private let settings: HopSettings
    private let onProgress: (String) -> Void

    public init(_ settings: HopSettings, onProgress: @escaping (String) -> Void = { _ in }) {
        self.settings = settings
        self.onProgress = onProgress
    }

    public func perform() async throws(BenchError) -> HopReport {
        let machine = Machine.current()
        let folder = try ScratchFolder()
        let context: Context
        do throws(TransportError) { context = try Context() } catch { throw .hop("\(error)") }
        let before = try WakeFloor.measure()
        let allowed = try CoreSplit.allowed()
        if let cores = settings.cores { try CoreSplit.pin(getpid(), to: cores.callers) }
        var cells: [HopCell] = []
        for link in settings.links {
            let pair = try await HopPair.open(
                link, folder: folder.path, context: context, grpc: settings.grpc, cores: settings.cores)
            do throws(BenchError) {
                for mode in settings.modes {
                    for body in settings.bodies {
                        onProgress("\(link.name), \(body) bytes, \(mode.rawValue)")
                        cells.append(try await measure(pair, link, mode, body))
                    }
                }
            } catch {
                await pair.close()
                throw error
            }
            await pair.close()
        }
        // The floor is the machine's, not that of the cores that were left to this process.
        if settings.cores != nil { try CoreSplit.pin(getpid(), to: allowed) }
        return HopReport(
            machine: machine, floors: FloorPair(before: before, after: try WakeFloor.measure()),
            rounds: settings.rounds, pinned: settings.cores, cells: cells)
    }

    private func measure(
        _ pair: HopPair, _ link: HopLink, _ mode: BenchMode, _ body: Int
    ) async throws(BenchError) -> HopCell {
        let round = ExchangeRound(mode, bodyBytes: body, effort: settings.effort)
        let sizes = try HopFrames.sizes(bodyBytes: body)
        var results: [HopSide: [ExchangeResult]] = [:]
        var failures: [HopSide: String] = [:]
        for number in 0..<settings.rounds {
            // What runs first alternates, so that a drift of the machine favours none.
            for side in number.isMultiple(of: 2) ? pair.sides : pair.sides.reversed() where failures[side] == nil {
                do throws(BenchError) {
                    let result = try await pair.run(side, round, down: sizes.down, up: sizes.up)
                    results[side, default: []].append(result)
                } catch {
                    // What is compared with does not end the run.
                    guard case .grpc(let kind) = side else { throw error }
                    failures[side] = "\(kind.name): \(error)"
                    onProgress("\(kind.name) is left out here: \(error)")
                    results[side] = nil
                }
            }
        }
        let hops = results[.hop] ?? []
        let floors = results[.floor] ?? []
        guard let hop = Self.figures(hops), let floor = Self.figures(floors),
            let ratios = Self.ratios(hops, floors), let p99 = ratios.p99
        else { throw .usage("at least one round is needed") }
        let peers = GRPCPeer.Kind.allCases.compactMap { kind -> PeerFigures? in
            let others = results[.grpc(kind)] ?? []
            guard let figures = Self.figures(others), let ratios = Self.ratios(hops, others) else { return nil }
            return PeerFigures(
                name: kind.name, figures: figures, p50Ratio: ratios.p50, p99Ratio: ratios.p99,
                perSecondRatio: ratios.perSecond, perProcessorSecondRatio: ratios.perProcessorSecond)
        }
        return HopCell(
            link: link, mode: mode, bodyBytes: body, requestBytes: sizes.down, answerBytes: sizes.up,
            window: round.window, hop: hop, floor: floor, p50Ratio: ratios.p50, p99Ratio: p99,
            perSecondRatio: ratios.perSecond, perProcessorSecondRatio: ratios.perProcessorSecond, peers: peers,
            failedPeers: failures.values.sorted())
    }

    private typealias Ratios = (p50: Spread, p99: Spread?, perSecond: Spread, perProcessorSecond: Spread)

    /// One over the other, round by round.
    private static func ratios(_ ones: [ExchangeResult], _ others: [ExchangeResult]) -> Ratios? {
        func ratio(_ figure: (ExchangeResult) -> Double) -> Spread? {
            Spread(zip(ones, others).map { (figure($0), figure($1)) })
        }
        guard let p50 = ratio({ Latencies($0.samples).percentile(50) }),
            let perSecond = ratio(\.perSecond),
            let perProcessorSecond = ratio(\.perProcessorSecond)
        else { return nil }
        let hasP99 = (ones + others).allSatisfy { $0.samples.count >= 100 }
        let p99 = hasP99 ? ratio({ Latencies($0.samples).percentile(99) }) : nil
        return (p50, p99, perSecond, perProcessorSecond)
    }

    private static func figures(_ results: [ExchangeResult]) -> ExchangeFigures? {
        var latencies = Latencies()
        for result in results { latencies.record(result.samples) }
        guard let perSecond = Spread(results.map(\.perSecond)),
            let perProcessor = Spread(results.map(\.perProcessorSecond))
        else { return nil }
        return ExchangeFigures(
            latency: latencies.summary, curve: latencies.curve, perSecond: perSecond, perProcessorSecond: perProcessor)
    }
}
