import Economics

/// The ways in which amounts move: from the credited to the debited account, so that every row balances.
enum Transfer: Int, CaseIterable {
    case hold
    case charge
    case makeOpen
    case bill
    case billUnattributed
    case giveAway
    case giveAwayUnattributed
    case waste

    var debit: Account {
        switch self {
        case .hold: .held
        case .charge: .receivable
        case .makeOpen: .open
        case .bill, .billUnattributed: .billed
        case .giveAway, .giveAwayUnattributed: .unbilled
        case .waste: .waste
        }
    }

    var credit: Account {
        switch self {
        case .hold: .commitment
        case .charge: .revenue
        case .makeOpen, .bill, .giveAway, .waste: .produced
        case .billUnattributed, .giveAwayUnattributed: .unattributed
        }
    }
}

/// How much of each transfer a request amounts to. An event posts the difference that it makes to this, so a
/// correction is a new row and the sum never depends on the order in which events came.
struct Position: Equatable {
    private var amounts: [Int64]

    static let none = Position(amounts: Array(repeating: 0, count: Transfer.allCases.count))

    private init(amounts: [Int64]) { self.amounts = amounts }

    init(of request: RequestState) {
        self = .none
        let produced = request.producedTokens
        let delivered = Int64(request.deliveredTokens)
        let attributed = min(produced, delivered)
        switch request.status {
        case .reserved:
            self[.hold] = request.reserved
            self[.makeOpen] = produced
        case .settled:
            self[.charge] = request.amount
            self[.bill] = attributed
            self[.billUnattributed] = delivered - attributed
            self[.waste] = produced - attributed
        case .void:
            self[.giveAway] = attributed
            self[.giveAwayUnattributed] = delivered - attributed
            self[.waste] = produced - attributed
        case .expired:
            self[.waste] = produced
        }
    }

    subscript(_ transfer: Transfer) -> Int64 {
        get { amounts[transfer.rawValue] }
        set { amounts[transfer.rawValue] = newValue }
    }

    /// The rows that lead from `earlier` to this: positive amounts only, a decrease goes the other way.
    func postings(since earlier: Position) -> [Posting] {
        var rows: [Posting] = []
        for transfer in Transfer.allCases {
            let change = self[transfer] - earlier[transfer]
            if change > 0 {
                rows.append(Posting(debit: transfer.debit, credit: transfer.credit, amount: change))
            } else if change < 0 {
                rows.append(Posting(debit: transfer.credit, credit: transfer.debit, amount: -change))
            }
        }
        return rows
    }
}

/// One double-entry row.
struct Posting: Equatable {
    var debit: Account
    var credit: Account
    /// Of the accounts' unit; above 0.
    var amount: Int64
}
