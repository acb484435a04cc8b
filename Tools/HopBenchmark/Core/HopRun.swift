import Transport

/// Measures hops beside the bare ping-pong, in rounds that alternate.
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
        var cells: [HopCell] = []
        for link in settings.links {
            let pair = try await HopPair.open(link, folder: folder.path, context: context)
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
        return HopReport(
            machine: machine, floors: FloorPair(before: before, after: try WakeFloor.measure()),
            rounds: settings.rounds, cells: cells)
    }

    private func measure(
        _ pair: HopPair, _ link: HopLink, _ mode: BenchMode, _ body: Int
    ) async throws(BenchError) -> HopCell {
        let round = ExchangeRound(mode, bodyBytes: body, effort: settings.effort)
        let sizes = try HopFrames.sizes(bodyBytes: body)
        var hops: [ExchangeResult] = []
        var floors: [ExchangeResult] = []
        for number in 0..<settings.rounds {
            // What runs first alternates, so that a drift of the machine favours neither.
            if number.isMultiple(of: 2) {
                floors.append(try pair.runFloor(round, down: sizes.down, up: sizes.up))
                hops.append(try await pair.runHop(round))
            } else {
                hops.append(try await pair.runHop(round))
                floors.append(try pair.runFloor(round, down: sizes.down, up: sizes.up))
            }
        }
        let exchanges = round.warmup + round.count
        guard let hop = Self.figures(hops, exchanges), let floor = Self.figures(floors, exchanges),
            let p50 = Self.ratio(hops, floors, { Latencies($0.samples).percentile(50) }),
            let p99 = Self.ratio(hops, floors, { Latencies($0.samples).percentile(99) }),
            let perSecond = Self.ratio(hops, floors, { $0.perSecond }),
            let perProcessor = Self.ratio(hops, floors, { $0.perProcessorSecond(exchanges) })
        else { throw .usage("at least one round is needed") }
        return HopCell(
            link: link, mode: mode, bodyBytes: body, requestBytes: sizes.down, answerBytes: sizes.up,
            window: round.window, hop: hop, floor: floor, p50Ratio: p50, p99Ratio: p99, perSecondRatio: perSecond,
            perProcessorSecondRatio: perProcessor)
    }

    private static func ratio(
        _ ones: [ExchangeResult], _ others: [ExchangeResult], _ figure: (ExchangeResult) -> Double
    ) -> Spread? {
        Spread(zip(ones, others).map { (figure($0), figure($1)) })
    }

    private static func figures(_ results: [ExchangeResult], _ exchanges: Int) -> ExchangeFigures? {
        var latencies = Latencies()
        for result in results { latencies.record(result.samples) }
        guard let perSecond = Spread(results.map(\.perSecond)),
            let perProcessor = Spread(results.map { $0.perProcessorSecond(exchanges) })
        else { return nil }
        return ExchangeFigures(
            latency: latencies.summary, curve: latencies.curve, perSecond: perSecond, perProcessorSecond: perProcessor)
    }
}
