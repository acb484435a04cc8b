public import Wire

/// One batch as it came from a producer.
public struct ProducerBatch: Equatable, Sendable {
    /// Boot epoch of the process whose spool the batch's numbers count.
    public var producer: UInt64
    /// What its session showed it to be; nil for a spool on the ledger's own disk, which holds events of one role.
    public var role: StationRole?
    /// Numbers that are missing before it will never come: its spool was taken over, or has lost them.
    public var isOrphan: Bool
    public var batch: RecordBatch

    public init(producer: UInt64, role: StationRole? = nil, isOrphan: Bool = false, batch: RecordBatch) {
        self.producer = producer
        self.role = role
        self.isOrphan = isOrphan
        self.batch = batch
    }

    /// The numbers of its events; nil for none, and when they leave the numbers' range.
    public var numbers: ClosedRange<UInt64>? {
        guard batch.first > 0, let more = UInt64(exactly: batch.events.count - 1) else { return nil }
        let (last, overflow) = batch.first.addingReportingOverflow(more)
        return overflow ? nil : batch.first...last
    }

    /// Why nothing of the batch may be taken; nil when it may.
    public var violation: BatchViolation? {
        guard !batch.events.isEmpty else { return nil }
        guard numbers != nil else { return .numbers }
        guard let role = role ?? batch.events.first.map(\.statingRole) else { return nil }
        for event in batch.events {
            guard event.producerRole == event.statingRole || event.kind == .lostAttempt, event.mayBeStated(by: role)
            else { return .kind(event.kind, role) }
            guard event.namesForeignProducer || event.producer == producer else { return .producer(event.producer) }
        }
        return nil
    }
}

/// Why nothing of a batch was taken.
public enum BatchViolation: Hashable, Sendable, CustomStringConvertible {
    /// Its numbers begin at 0 or end beyond their range.
    case numbers
    /// A station of this role states no such event.
    case kind(EventKind, StationRole)
    /// An event of another process than the one whose spool it is.
    case producer(UInt64)

    public var description: String {
        switch self {
        case .numbers: "its numbers are out of range"
        case .kind(let kind, let role): "a station of the role \(role) states no \(kind)"
        case .producer(let epoch): "it holds an event of producer \(epoch)"
        }
    }
}

extension LedgerEvent {
    /// The role whose station states such an event.
    fileprivate var statingRole: StationRole {
        switch kind {
        case .reserve, .settle, .void: .ingest
        case .attempt: .inferenceWorker
        case .lostAttempt: producerRole
        }
    }

    /// A lost attempt's producer is the process that was lost.
    fileprivate var namesForeignProducer: Bool { kind == .lostAttempt }

    fileprivate func mayBeStated(by role: StationRole) -> Bool {
        role == statingRole && (kind != .lostAttempt || role == .tokenizer || role == .ingest)
    }
}
