import Testing
import Wire

@testable import HopBenchmark

@Suite struct LineTests {
    /// A request whose stations each take 10 on the wire, 2 queued and 5 worked; the engine takes 20.
    private func sample(begunAt: UInt64 = 1000, encoding: UInt64 = 3, decoding: UInt64 = 4) -> LineSample {
        var time = begunAt + encoding
        var sample = LineSample(begunAt: begunAt, sentAt: time)
        func record(_ station: StationRole, _ phase: HopPhase, wire: UInt64) -> HopRecord {
            let received = time + wire
            time = received + 7
            return HopRecord(
                handle: 1, station: station, phase: phase, receivedAt: received, begunAt: received + 2, sentAt: time)
        }
        for station in [StationRole.ingest, .tokenizer, .inferenceWorker] {
            sample.hops.append(record(station, .down, wire: 10))
        }
        let engineBegan = time
        for phase in [HopPhase.firstToken, .lastToken] {
            time = engineBegan
            sample.hops.append(record(.inferenceWorker, phase, wire: 20))
            for station in [StationRole.tokenizer, .ingest] { sample.hops.append(record(station, phase, wire: 10)) }
        }
        sample.firstAt = time + 10
        sample.lastAt = time + 10
        sample.endedAt = sample.lastAt + decoding
        return sample
    }

    @Test func stretchesAndResidualAddUpToTheLatency() throws {
        var breakdown = HopBreakdown()
        breakdown.add(sample())
        let request = try #require(breakdown.request(atQuantile: 0.5))
        let sum = request.stretches.reduce(0) { $0 + $1.nanoseconds }
        #expect(sum + request.residual == Int64(request.latency))
        #expect(request.residual == 7)
        #expect(breakdown.order.count == 19)
        let wires = breakdown.order.filter { $0.part == "wire" }
        #expect(wires.count == 6)
        #expect(Set(wires.compactMap(\.link)) == Set(LineLink.allCases))
        #expect(wires.allSatisfy { breakdown.summary(of: $0).p50 == 10 })
        for link in LineLink.allCases { #expect(breakdown.summary(ofBothWaysOn: link).p50 == 20) }
        let engine = try #require(breakdown.order.first { $0.part == "engine" })
        #expect(breakdown.summary(of: engine).p50 == 20)
        #expect(engine.station == "worker" && engine.direction == "up" && engine.link == nil)
    }

    @Test func aMissingRecordIsNotSummedUp() {
        var breakdown = HopBreakdown()
        var broken = sample()
        broken.hops.removeAll { $0.station == .tokenizer && $0.phase == .down }
        breakdown.add(broken)
        #expect(breakdown.requests.isEmpty && breakdown.incomplete == 1)
        #expect(breakdown.residualShare(atQuantile: 0.5) == nil)
        #expect(breakdown.request(atQuantile: 0.5) == nil)
    }

    @Test func residualsAreOfRequestsAroundTheirPlace() throws {
        var breakdown = HopBreakdown()
        // Slow requests are slow for what no hop has.
        for number in 0..<1000 { breakdown.add(sample(decoding: number < 900 ? 4 : 4000)) }
        let atP50 = try #require(breakdown.residualShare(atQuantile: 0.5))
        let atP99 = try #require(breakdown.residualShare(atQuantile: 0.99))
        let latency = try #require(breakdown.request(atQuantile: 0.5)).latency
        #expect(abs(atP50 - 7 / Double(latency)) < 1e-9)
        #expect(atP99 > 0.9)
    }

    @Test func aDelayMustShowInItsOwnHopAndInNoOther() {
        func judge(_ stretch: HopStretch, growth: Double) -> Bool {
            DelayRun.judge(stretch, on: .ingestTokenizer, delay: 1000, without: 100, with: 100 + growth).isAsExpected
        }
        let wire = HopStretch(direction: "down", station: "tokenizer", part: "wire")
        #expect(wire.link == .ingestTokenizer)
        #expect(judge(wire, growth: 1000))
        #expect(judge(wire, growth: 1200))
        #expect(!judge(wire, growth: 100))
        #expect(!judge(wire, growth: 2000))
        let other = HopStretch(direction: "down", station: "worker", part: "wire")
        #expect(judge(other, growth: 100))
        #expect(!judge(other, growth: 1000))
        let worked = HopStretch(direction: "down", station: "tokenizer", part: "worked")
        #expect(!judge(worked, growth: 1000))
    }

    @Test func aDelayIsRightOnlyIfBothWaysShowIt() {
        func report(_ delayed: Int) -> DelayReport {
            let stretches = (0..<4).map { index in
                DelayedStretch(
                    stretch: HopStretch(direction: "up", station: "ingest", part: "\(index)"), withoutNanoseconds: 1,
                    withNanoseconds: 1, isDelayed: index < delayed, isAsExpected: true)
            }
            return DelayReport(
                machine: Machine.current(), link: .clientIngest, microseconds: 1, requests: 1, stretches: stretches)
        }
        #expect(report(2).isRight)
        #expect(!report(1).isRight)
        #expect(!report(0).isRight)
        var wrong = report(2)
        wrong.stretches[3].isAsExpected = false
        #expect(!wrong.isRight)
    }
}
