package import Wire

/// What a row of the log states: a producer's event (raw values 1…5, as on the wire) or the ledger's own finding.
package enum EntryKind: UInt8, CaseIterable {
    case reserve = 1
    case settle = 2
    case void = 3
    case attempt = 4
    case lostAttempt = 5
    /// Nobody resolved the request in time.
    case expired = 16
    /// The price list from here on.
    case prices = 17
    /// Records of a producer that never came.
    case gap = 18
    /// An event of a known name with another body.
    case conflict = 19
    /// An event that its producer may not state of this request, kept without counting.
    case refused = 20
    /// The ingest of an expired request has come back with its end, which then counts.
    case reopened = 21

    package init(_ kind: EventKind) {
        self =
            switch kind {
            case .reserve: .reserve
            case .settle: .settle
            case .void: .void
            case .attempt: .attempt
            case .lostAttempt: .lostAttempt
            }
    }
}
