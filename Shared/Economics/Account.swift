/// What an account counts. Amounts of different units never meet in one posting.
public enum AccountUnit: UInt8, Sendable, CaseIterable {
    case nanodollars = 1
    case tokens = 2
    case microjoules = 3
}

/// The chart of accounts. Every tenant has its own of each; the site's own costs stand under the empty tenant.
///
/// Raw values are stored in ledgers and never change their meaning.
public enum Account: UInt8, Sendable, CaseIterable {
    /// What the tenant owes for settled requests.
    case receivable = 1
    /// What was earned (a credit balance).
    case revenue = 2
    /// The worst case of requests that are not resolved.
    case held = 3
    /// The other side of `held`.
    case commitment = 4
    /// Money paid in advance. Kept for budgets; nothing posts to it yet.
    case prepaid = 5
    /// Cost of energy. Nothing posts to it yet.
    case energyCost = 6
    /// Cost of hardware. Nothing posts to it yet.
    case hardwareCost = 7
    /// Cost of hardware and energy while no request was served. Nothing posts to it yet.
    case idleCost = 8

    /// The source of all tokens (a credit balance: what engines made).
    case produced = 16
    /// Made for requests that are not resolved.
    case open = 17
    /// Delivered and billed.
    case billed = 18
    /// Delivered and not billed, since the request was void.
    case unbilled = 19
    /// Made and not delivered.
    case waste = 20
    /// Delivered, but no attempt is on record that made them (a credit balance; 0 in a complete ledger).
    case unattributed = 21

    /// Energy of attempts. Nothing posts to it yet.
    case energy = 32
    /// Energy that no request used. Nothing posts to it yet.
    case idleEnergy = 33
    /// The source of all energy, the meter. Nothing posts to it yet.
    case meter = 34

    public var unit: AccountUnit {
        switch rawValue {
        case ..<16: .nanodollars
        case ..<32: .tokens
        default: .microjoules
        }
    }
}
