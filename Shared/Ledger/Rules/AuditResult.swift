public import Foundation

/// What an audit looks at.
public enum AuditCheck: String, Sendable, CaseIterable {
    /// SQLite's own check of the file.
    case file
    /// The tables are the ones that the ledger makes.
    case schema
    /// Hash chain of the log: no row edited, inserted, moved or taken out.
    case chain
    /// The signed head and the kept checkpoints agree with the log: it was not cut.
    case checkpoint
    /// Rows say what their names say.
    case event
    /// `request` and `attempt` are what a replay of the log gives.
    case request
    /// `posting` is what a replay of the log gives.
    case posting
    /// `balance` is the sum of the postings, and each unit's balances sum to zero.
    case balance
    /// Each request ended at most once; other ends, conflicting and missing records are listed.
    case exactlyOnce
    /// What was delivered is covered by attempts that made it.
    case coverage
}

/// Something that an audit found.
public struct AuditFinding: Equatable, Sendable, CustomStringConvertible {
    public enum Severity: Int, Sendable {
        /// Worth knowing: the ledger handled it as its rules say.
        case notice = 0
        /// The ledger is not what it must be.
        case violation = 1
        /// Not complete yet, and so lately begun that it need not be: a violation when its time is over.
        case pending = 2
    }

    public var severity: Severity
    public var check: AuditCheck
    /// Row of the log that it is about.
    public var sequence: Int64?
    public var text: String

    public var description: String {
        "\(severity) [\(check.rawValue)]" + (sequence.map { " row \($0)" } ?? "") + ": \(text)"
    }
}

/// The result of an audit.
public struct AuditResult: Sendable {
    /// At most `findingLimit`, in the order of the checks.
    public package(set) var findings: [AuditFinding] = []
    /// Findings beyond the limit.
    public package(set) var omitted = 0
    /// All violations, those beyond the limit included.
    public package(set) var violations = 0
    /// Requests that ended within the audit's grace and whose attempts have not all come, at most `findingLimit`.
    public package(set) var pending: [AuditFinding] = []
    /// All of these, those beyond the limit included.
    public package(set) var pendingRequests = 0
    public package(set) var counts = LedgerCounts()
    public package(set) var checkpoints = 0
    public package(set) var gaps = 0
    /// Sums of the log's replay.
    public package(set) var producedTokens: Int128 = 0
    public package(set) var deliveredTokens: Int128 = 0
    public package(set) var billedTokens: Int128 = 0
    public package(set) var wastedTokens: Int128 = 0
    /// Every account over all tenants, from the replay.
    public package(set) var trialBalance: [AccountTotal] = []
    /// The Ed25519 key that the head and the checkpoints are signed with.
    public package(set) var publicKey = Data()
    /// The head as signed; keep it to anchor a later audit.
    public package(set) var head: Checkpoint?

    public static let findingLimit = 200

    /// No violation was found. What is pending may still become one.
    public var passed: Bool { violations == 0 }

    package init() {}

    /// Adds a finding, in the order of the checks.
    package mutating func note(
        _ severity: AuditFinding.Severity, _ check: AuditCheck, _ sequence: Int64? = nil, _ text: String
    ) {
        if severity == .violation { violations += 1 }
        guard findings.count < Self.findingLimit else {
            omitted += 1
            return
        }
        findings.append(AuditFinding(severity: severity, check: check, sequence: sequence, text: text))
    }

    /// Notes a request that is not complete yet. It stands apart, so that many of them hide no finding.
    mutating func notePending(_ check: AuditCheck, _ sequence: Int64?, _ text: String) {
        pendingRequests += 1
        guard pending.count < Self.findingLimit else { return }
        pending.append(AuditFinding(severity: .pending, check: check, sequence: sequence, text: text))
    }
}
