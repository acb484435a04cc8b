import Testing

@testable import AccountingService

@Suite struct BackoffTests {
    @Test func aFailedCommitWaitsLongerEachTime() {
        var backoff = Backoff()
        #expect(backoff.allows(0))
        var now: UInt64 = 1_000
        var pauses: [UInt64] = []
        for _ in 0..<8 {
            backoff.failed(now)
            let failedAt = now
            while !backoff.allows(now) { now += 50_000_000 }
            pauses.append((now - failedAt) / 1_000_000)
        }
        #expect(pauses == [100, 200, 400, 800, 1600, 3200, 5000, 5000])
        backoff.failed(now)
        backoff.succeeded()
        #expect(backoff.allows(now))
    }
}
