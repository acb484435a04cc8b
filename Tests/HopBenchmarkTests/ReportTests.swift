import Charts
import Testing

@testable import HopBenchmark

@Suite struct ReportTests {
    private func latency(_ p50: Double) -> LatencySummary {
        LatencySummary(count: 100, p50: p50, p90: p50 + 1000, p99: p50 + 2000, p999: p50 + 3000, max: p50 + 4000)
    }

    private func spread(_ value: Double) throws -> Spread { try #require(Spread([value])) }

    private func floors(after: Double = 50_000) -> FloorPair {
        func floor(_ warm: Double) -> WakeFloor {
            WakeFloor(oneCore: latency(5000), warm: latency(warm), idle: latency(90_000))
        }
        return FloorPair(before: floor(50_000), after: floor(after))
    }

    private let curve = [CurvePoint(quantile: 0, nanoseconds: 1000), CurvePoint(quantile: 0.99, nanoseconds: 9000)]

    private func hop(after: Double = 50_000) throws -> HopReport {
        let cells = try BenchMode.allCases.map { mode in
            let figures = ExchangeFigures(
                latency: latency(70_000), curve: curve, perSecond: try spread(9000),
                perProcessorSecond: try spread(8000))
            return HopCell(
                link: HopLink(.tcp, isEncrypted: true), mode: mode, bodyBytes: 64, requestBytes: 200, answerBytes: 150,
                window: 1, hop: figures, floor: figures, p50Ratio: try spread(1.25), p99Ratio: try spread(1.5),
                perSecondRatio: try spread(0.9), perProcessorSecondRatio: try spread(0.8),
                peers: [
                    PeerFigures(
                        name: "gRPC unary", figures: figures, p50Ratio: try spread(0.14), p99Ratio: nil,
                        perSecondRatio: try spread(36), perProcessorSecondRatio: try spread(34))
                ])
        }
        return HopReport(machine: Machine.current(), floors: floors(after: after), rounds: 1, cells: cells)
    }

    private func line() throws -> LineReport {
        let wire = HopStretch(direction: "down", station: "ingest", part: "wire")
        let stretches = [StretchTime(stretch: wire, nanoseconds: 40_000)]
        return LineReport(
            machine: Machine.current(), floors: floors(), rounds: 1, hasAccounting: true, promptTokens: 32,
            messageBytes: [300, 400],
            doors: [
                DoorFigures(
                    door: "HTTP", mode: .hot, latency: latency(500_000), curve: curve, chain: latency(300_000),
                    chainCurve: curve, p50Ratio: try spread(1.67), p99Ratio: try spread(2)),
                DoorFigures(
                    door: "ZeroMQ+CURVE", mode: .hot, latency: latency(600_000), curve: curve, chain: latency(400_000),
                    chainCurve: curve, p50Ratio: try spread(1.5), p99Ratio: try spread(1.5), isEncrypted: true),
            ],
            hops: HopFigures(
                requests: 100, incomplete: 1,
                stretches: [StretchFigures(stretch: wire, latency: latency(40_000))],
                links: [LinkFigures(link: .clientIngest, latency: latency(80_000), overPingPong: 1.11)],
                pingPong: latency(72_000), residualAtP50: 0.005, residualAtP99: 0.002,
                typical: [
                    TypicalRequest(
                        quantile: 0.5, latencyNanoseconds: 500_000, residualNanoseconds: 700, stretches: stretches),
                    TypicalRequest(
                        quantile: 0.99, latencyNanoseconds: 900_000, residualNanoseconds: 900, stretches: stretches),
                ]), stampingRatio: try spread(1.01))
    }

    @Test func eachFigureStandsUnderItsHeading() throws {
        let lines = floors().text.split(separator: "\n")
        #expect(lines.count == 3)
        let row = lines[1].split(separator: " ").map(String.init)
        #expect(row == ["before", "5.0", "7.0", "50.0", "52.0", "90.0", "92.0"])
        // Columns of figures end where their headings do.
        #expect(lines[0].count == lines[1].count)
    }

    @Test func aMachineThatMovedIsSaidToHaveMoved() throws {
        #expect(!(try hop().text.contains("NOT COMPARABLE")))
        #expect(try hop(after: 150_000).text.contains("NOT COMPARABLE"))
        #expect(try hop(after: 150_000).page().html().contains("NOT COMPARABLE"))
    }

    @Test func hopsShowBothSidesAndTheirRatios() throws {
        let text = try hop().text
        for part in ["tcp+curve 64 B", "70.0", "1.25 (1.25–1.25)", "1.50 (1.50–1.50)", "9000", "0.80 (0.80–0.80)"] {
            #expect(text.contains(part), "\(part)")
        }
        for part in ["gRPC unary", "0.14 (0.14–0.14)", "36.00 (36.00–36.00)", "34.00 (34.00–34.00)"] {
            #expect(text.contains(part), "\(part)")
        }
        let html = try hop().page().html()
        #expect(html.contains("Hop over gRPC at p50, hot") && html.contains("gRPC unary"))
        #expect(html.contains("Hop over floor, hot") && html.contains("Exchanges per CPU second"))
    }

    @Test func theLineShowsDoorsHopsAndResidual() throws {
        let text = try line().text
        for part in [
            "HTTP", "C relay chain ", "C relay chain+CURVE", "400", "1.50 (1.50–1.50)", "down → ingest wire", "1.11",
            "0.50 % at p50", "0.20 % at p99", "1.01",
        ] {
            #expect(text.contains(part), "\(part)")
        }
        let html = try line().page().html()
        #expect(html.contains("The median request") && html.contains("The p99 request"))
    }

    @Test func scalingIsHeldAgainstTheIdeal() throws {
        let report = ScaleReport(
            machine: Machine.current(), floors: floors(), promptTokens: 32, maximumTokens: 128, seconds: 1, rounds: 1,
            throughput: [
                ThroughputFigures(
                    door: "ZeroMQ", streams: 64, hasAccounting: true, tokensPerSecond: try spread(1_000_000),
                    failures: 0, processorSecondsPerMillion: ["ingest": 0.25, "accounting": 0.5])
            ],
            workers: [
                WorkerFigures(
                    workers: 4, streams: 64, tokensPerSecond: try spread(3600), ideal: 4000, failures: 0,
                    processorSecondsPerMillion: ["tokenizer": 7.5])
            ])
        for part in ["ZeroMQ 64", "1000000", "0.25", "0.75", "0.90", "7.50"] {
            #expect(report.text.contains(part), "\(part)")
        }
        #expect(report.page().html().contains("Simulated workers at real time scale"))
    }

    @Test func theGuardsRatiosAreWorseWhenTheyGrow() throws {
        let ratios = GuardRun.ratios(try hop(), try line())
        #expect(ratios["hop.tcp+curve.64.hot.p50"] == 1.25)
        #expect(ratios["hop.tcp+curve.64.hot.p99"] == 1.5)
        #expect(ratios["hop.tcp+curve.64.saturated.processor"] == 1.25)
        #expect(ratios["line.HTTP.hot.p50"] == 1.67)
        #expect(ratios["line.stamping.p50"] == 1.01)
    }
}
