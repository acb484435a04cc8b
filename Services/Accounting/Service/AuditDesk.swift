import Dispatch
import Foundation
import LedgerStore
import Station
import Synchronization

/// Audits as a job: one at a time, on a thread of its own, its result kept until the next has ended.
final class AuditDesk: Sendable {
    private struct State {
        var answer = AuditAnswer()
    }

    private let reader: LedgerReader
    /// Nanoseconds; see `AuditGrace`.
    private let grace: UInt64
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "audit", qos: .utility)

    init(_ reader: LedgerReader, grace: UInt64) {
        self.reader = reader
        self.grace = grace
    }

    /// The last result, and whether an audit is under way.
    var answer: AuditAnswer { state.withLock { $0.answer } }

    /// Begins an audit, unless one is under way.
    func begin() {
        let begins = state.withLock { state in
            guard !state.answer.isRunning else { return false }
            state.answer.isRunning = true
            return true
        }
        guard begins else { return }
        queue.async { [self] in
            var next = AuditAnswer()
            do throws(LedgerError) {
                let result = try reader.audit(grace: AuditGrace(now: WallClock.now(), length: grace))
                next.passed = result.passed
                next.violations = result.violations
                next.findings = result.findings.map(\.description)
                next.pending = result.pendingRequests
                next.pendingRequests = result.pending.map(\.description)
                next.rows = result.counts.events
            } catch {
                next.passed = false
                next.findings = ["the audit cannot be made: \(error)"]
            }
            next.finishedAt = WallClock.now() / 1_000_000_000
            state.withLock { [next] in $0.answer = next }
        }
    }
}

/// An audit as the door tells it.
struct AuditAnswer: Encodable, Sendable {
    /// Whether an audit is under way.
    var isRunning = false
    /// Of the last one that ended; nil where there was none.
    var passed: Bool?
    var violations = 0
    var findings: [String] = []
    /// Requests that ended so lately that their attempts may still be on their way.
    var pending = 0
    /// The first of them, a line each.
    var pendingRequests: [String] = []
    /// Rows of the log that it covered.
    var rows: Int64 = 0
    /// Seconds since 1970.
    var finishedAt: UInt64?

    enum CodingKeys: String, CodingKey {
        case isRunning = "running"
        case passed, violations, findings, pending, pendingRequests, rows, finishedAt
    }
}
