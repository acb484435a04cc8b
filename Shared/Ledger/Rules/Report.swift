public import Economics
public import Wire

/// What a report has a line for.
public enum ReportGrouping: String, Sendable, CaseIterable {
    case tenant
    case model
    case worker
}

/// Sums over the requests of one tenant, model or worker.
public struct ReportRow: Equatable, Sendable {
    /// The tenant, model or worker.
    public var name = ""
    public var requests: Int64 = 0
    /// Of the requests, those that nobody has resolved yet.
    public var reserved: Int64 = 0
    public var settled: Int64 = 0
    public var void: Int64 = 0
    public var expired: Int64 = 0
    /// Attempts, each by its best record.
    public var attempts: Int64 = 0
    /// Of the attempts, those that only the station above could state.
    public var lostAttempts: Int64 = 0
    /// Tokens of prompts: of settled and void requests, or, by worker, of attempts.
    public var promptTokens: Int128 = 0
    /// Of the prompts' tokens, those from the prefix cache.
    public var cachedTokens: Int128 = 0
    /// Made by engines.
    public var producedTokens: Int128 = 0
    /// Taken by clients' sockets. Nil by worker, as several may have made one answer; so are the next four.
    public var deliveredTokens: Int128?
    public var billedTokens: Int128?
    /// Made and not delivered, of requests that have ended.
    public var wastedTokens: Int128?
    public var amount: Money?
    /// The worst case of unresolved requests.
    public var held: Money?
    /// Made after the cancel had come.
    public var tokensAfterCancel: Int128 = 0
    /// Energy of attempts that was measured; nil when none was.
    public var measuredMicrojoules: Int128?
    /// Energy of attempts that a model gave; nil when none was.
    public var modelledMicrojoules: Int128?
    /// Attempts whose energy is not known.
    public var attemptsWithoutEnergy: Int64 = 0

    public init() {}
}

/// A report: its lines in the order of their names, and their sum.
public struct Report: Equatable, Sendable {
    public var grouping: ReportGrouping
    /// Only requests whose first event came at or after this, in nanoseconds since 1970.
    public var since: UInt64
    public var rows: [ReportRow]
    /// The sum over all requests, whatever the grouping; its `name` is empty.
    public var total: ReportRow

    package init(
        grouping: ReportGrouping, since: UInt64, rows: [ReportRow], total: ReportRow
    ) {
        self.grouping = grouping
        self.since = since
        self.rows = rows
        self.total = total
    }
}

/// One request as the ledger sees it.
public struct RequestSummary: Equatable, Sendable {
    public var requestID: RequestID
    public var tenant: String
    /// What its client calls it; empty where it has no name.
    public var label: String
    public var model: String
    public var status: RequestStatus
    /// Why it ended, by the event that ended it; nil while nobody has resolved it, and when it expired.
    public var outcome: FinishReason?
    /// When its first event came, in nanoseconds since 1970.
    public var openedAt: Int64
    /// The worst case that was reserved.
    public var reserved: Money
    /// What it was billed.
    public var amount: Money
    public var promptTokens: Int64
    public var cachedTokens: Int64
    public var producedTokens: Int64
    public var deliveredTokens: Int64
    public var billedTokens: Int64
    public var wastedTokens: Int64
    /// Attempt records, superseded ones included.
    public var attempts: Int64

    package init(
        requestID: RequestID, tenant: String, label: String, model: String, status: RequestStatus,
        outcome: FinishReason?, openedAt: Int64, reserved: Money, amount: Money, promptTokens: Int64,
        cachedTokens: Int64, producedTokens: Int64, deliveredTokens: Int64, billedTokens: Int64, wastedTokens: Int64,
        attempts: Int64
    ) {
        self.requestID = requestID
        self.tenant = tenant
        self.label = label
        self.model = model
        self.status = status
        self.outcome = outcome
        self.openedAt = openedAt
        self.reserved = reserved
        self.amount = amount
        self.promptTokens = promptTokens
        self.cachedTokens = cachedTokens
        self.producedTokens = producedTokens
        self.deliveredTokens = deliveredTokens
        self.billedTokens = billedTokens
        self.wastedTokens = wastedTokens
        self.attempts = attempts
    }
}

/// How many there are of what.
public struct LedgerCounts: Equatable, Sendable {
    /// Rows of the log.
    public var events: Int64 = 0
    public var reserved: Int64 = 0
    public var settled: Int64 = 0
    public var void: Int64 = 0
    public var expired: Int64 = 0
    public var conflicts: Int64 = 0

    package init() {}

    public var requests: Int64 { reserved + settled + void + expired }
}

/// Debits and credits of one account.
public struct AccountTotal: Equatable, Sendable {
    /// Empty in a trial balance, which sums over tenants.
    public var tenant: String
    public var account: Account
    public var debits: Int128
    public var credits: Int128

    package init(
        tenant: String, account: Account, debits: Int128, credits: Int128
    ) {
        self.tenant = tenant
        self.account = account
        self.debits = debits
        self.credits = credits
    }

    /// Debits less credits.
    public var balance: Int128 { debits &- credits }
}
