import Foundation
import Hummingbird
import Synchronization
import Testing

@testable import AccountingService

@Suite struct ReportDeskTests {
    private final class Begun: Sendable {
        let count = Mutex(0)
    }

    @Test func whoComesBeyondTheBoundIsToldToComeAgain() async throws {
        let desk = ReportDesk()
        let begun = Begun()
        let gate = DispatchSemaphore(value: 0)
        try await withThrowingTaskGroup(of: Int.self) { group async throws in
            for number in 0..<ReportDesk.limit {
                group.addTask {
                    try await desk.run {
                        begun.count.withLock { $0 += 1 }
                        gate.wait()
                        return number
                    }
                }
            }
            #expect(await becomes { begun.count.withLock { $0 } == ReportDesk.limit })
            await #expect {
                _ = try await desk.run { 0 }
            } throws: { error in
                (error as? HTTPError)?.status == .serviceUnavailable
            }
            for _ in 0..<ReportDesk.limit { gate.signal() }
            #expect(try await group.reduce(0, +) == 6)
        }
        #expect(try await desk.run { 7 } == 7)
    }
}
