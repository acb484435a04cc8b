import Foundation
import Glibc
import Testing

@testable import HopBenchmark

@Suite struct LatenciesTests {
    @Test func percentilesAreThoseOfTheSamples() {
        let summary = Latencies((1...1000).map { UInt64($0) * 1000 }).summary
        #expect(summary.count == 1000)
        // Three significant digits.
        #expect(abs(summary.p50 - 500_000) <= 500)
        #expect(abs(summary.p99 - 990_000) <= 1000)
        #expect(summary.max >= 1_000_000 && summary.max < 1_001_000)
        #expect(summary.p50 < summary.p90 && summary.p90 < summary.p99 && summary.p99 < summary.p999)
    }

    @Test func nothingIsZero() {
        #expect(Latencies().summary == LatencySummary(count: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0))
        #expect(Latencies().curve.isEmpty)
    }

    @Test func aCurveEndsWhereSamplesDo() {
        let curve = Latencies((1...100).map { UInt64($0) }).curve
        #expect(curve.map(\.quantile).max() == 0.99)
        #expect(zip(curve, curve.dropFirst()).allSatisfy { $0.nanoseconds <= $1.nanoseconds })
    }

    @Test func floorsAreComparableWithinAFactorOfTwo() {
        func floor(_ warm: Double, _ idle: Double) -> WakeFloor {
            func summary(_ p50: Double) -> LatencySummary {
                LatencySummary(count: 1, p50: p50, p90: p50, p99: p50, p999: p50, max: p50)
            }
            return WakeFloor(oneCore: summary(1), warm: summary(warm), idle: summary(idle))
        }
        #expect(FloorPair.areComparable(floor(10, 100), floor(19, 60)))
        #expect(!FloorPair.areComparable(floor(10, 100), floor(21, 100)))
        #expect(!FloorPair.areComparable(floor(10, 100), floor(10, 40)))
        #expect(!FloorPair.areComparable(floor(0, 100), floor(10, 100)))
        #expect(!FloorPair(before: floor(30, 100), after: floor(10, 100)).isStable)
    }

    @Test func theWakeUpFloorHasAllItsSamples() throws {
        let floor = try WakeFloor.measure()
        #expect(floor.oneCore.count == 5000 && floor.warm.count == 5000 && floor.idle.count == 60)
        #expect(floor.warm.p50 > 0 && floor.warm.max >= floor.warm.p99)
    }

    @Test(arguments: [(0.0, "0.0"), (12_340, "12.3"), (99_940, "99.9"), (123_456, "123"), (5_000_000, "5000")])
    func timesAreInMicroseconds(nanoseconds: Double, text: String) {
        #expect(FigureText.micros(nanoseconds) == text)
    }

    @Test(arguments: [(1.0, "1.00"), (0.955, "0.96"), (12.5, "12.50"), (-0.25, "-0.25"), (.infinity, "–")])
    func ratiosHaveTwoDigits(value: Double, text: String) {
        #expect(FigureText.ratio(value) == text)
    }

    @Test func aPercentileWithoutSamplesBeyondItIsADash() {
        func row(_ count: UInt64) -> [String] {
            FigureText.row(LatencySummary(count: count, p50: 1000, p90: 2000, p99: 3000, p999: 4000, max: 5000))
        }
        #expect(row(1000) == ["1.0", "2.0", "3.0", "4.0", "5.0"])
        #expect(row(999) == ["1.0", "2.0", "3.0", "–", "5.0"])
        #expect(row(1) == ["–", "–", "–", "–", "5.0"])
    }

    @Test func theMachineIsReadFromTheKernelsText() {
        let info = "processor\t: 0\nmodel name\t: Some CPU @ 2: 3 GHz\nflags\t\t: fpu hypervisor\n"
        #expect(Machine.field("model name", in: info) == "Some CPU @ 2: 3 GHz")
        #expect(Machine.field("bogomips", in: info) == nil)
    }

    @Test func processorTimeOutlivesThreads() async throws {
        let before = try ProcessorTime.own()
        let burnt = await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                var spent = timespec()
                repeat { _ = unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent) } while spent.tv_nsec < 20_000_000
                continuation.resume(returning: UInt64(spent.tv_nsec))
            }
        }
        // The thread may still be ending; whether it is in the list of threads or not, its time counts.
        #expect(try ProcessorTime.own() >= before + burnt)
        // One more than the greatest that Linux gives.
        #expect(throws: BenchError.self) { try ProcessorTime.nanoseconds(of: 4_194_305) }
    }
}
