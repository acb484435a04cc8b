import Testing

@testable import LoadGenerator

struct ArrivalTests {
    /// Gaps in seconds.
    private func gaps(_ pattern: ArrivalPattern, _ count: Int, requests: Int? = nil) -> [Double] {
        var schedule = ArrivalSchedule(pattern, requests: requests, seed: 11)
        var last: UInt64 = 0
        return (0..<count).map { _ in
            let next = schedule.next() ?? 0
            defer { last = next }
            return Double(next - last) / 1e9
        }
    }

    private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

    /// Variance over the squared mean.
    private func dispersion(_ values: [Double]) -> Double {
        let mean = mean(values)
        return values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count) / (mean * mean)
    }

    @Test(arguments: [0.25, 0.5, 1, 2, 4])
    func gammaGapsHaveTheirRateAndBurstiness(shape: Double) {
        let gaps = gaps(.gamma(rate: 200, burstiness: shape), 40_000)
        #expect(abs(mean(gaps) * 200 - 1) < 0.04)
        #expect(abs(dispersion(gaps) * shape - 1) < 0.08)
    }

    @Test func constantGapsAreEqual() {
        #expect(gaps(.constant(rate: 8), 100).allSatisfy { abs($0 - 0.125) < 1e-8 })
    }

    /// As vLLM does: the offered rate is exact when the number of requests is known.
    @Test func aKnownNumberOfRequestsTakesItsTime() {
        for pattern in [ArrivalPattern.poisson(rate: 50), .gamma(rate: 50, burstiness: 0.3), .constant(rate: 50)] {
            #expect(abs(gaps(pattern, 20, requests: 20).reduce(0, +) - 0.4) < 1e-6, "\(pattern)")
        }
    }

    @Test func aRampChangesItsRateEvenly() {
        var schedule = ArrivalSchedule(.ramp(from: 100, to: 300, seconds: 100), seed: 3)
        var counts = [Int](repeating: 0, count: 12)
        while let next = schedule.next(), next < 120_000_000_000 { counts[Int(next / 10_000_000_000)] += 1 }
        for tenth in 0..<10 {
            // 10 s at the rate in the tenth's middle.
            let expected = 10 * (100 + 20 * (Double(tenth) + 0.5))
            #expect(abs(Double(counts[tenth]) / expected - 1) < 0.12, "tenth \(tenth): \(counts[tenth])")
        }
        #expect(abs(Double(counts[11]) / 3000 - 1) < 0.08)
        // Downwards too.
        var falling = ArrivalSchedule(.ramp(from: 300, to: 100, seconds: 10), seed: 3)
        var inRamp = 0
        while let next = falling.next(), next < 10_000_000_000 { inRamp += 1 }
        #expect(abs(Double(inRamp) / 2000 - 1) < 0.08)
    }

    @Test func aTraceEnds() {
        var schedule = ArrivalSchedule(.trace([0, 5, 5, 9]), seed: 1)
        #expect((0..<5).map { _ in schedule.next() } == [0, 5, 5, 9, nil])
        #expect(ArrivalPattern.trace([0, 5, 5, 9]).limit(requests: nil, duration: 3) == 4)
        #expect(ArrivalPattern.trace([0, 5, 5, 9]).limit(requests: 2, duration: nil) == 2)
        #expect(ArrivalPattern.poisson(rate: 2.5).limit(requests: nil, duration: nil) == 3)
    }
}
