/// Why the ledger could not do what was asked. Nothing was committed when one of these is thrown.
public enum LedgerError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The database refused: disk full, locked, damaged, not a ledger.
    case storage(operation: String, path: String, reason: String)
    /// The disk has no room; it may have some later.
    case full(operation: String, path: String)
    /// The file holds a schema that this version does not know.
    case schema(path: String, found: Int64)
    /// Another process has the ledger open for writing.
    case inUse(path: String, holder: String)
    /// The signing key cannot be read, made, or is not the one that this ledger was begun with.
    case key(path: String, reason: String)
    /// A stored row is not what it must be; the audit says more.
    case damaged(path: String, sequence: Int64, reason: String)
    /// The price list cannot be used.
    case prices(String)
    /// An amount is beyond what the ledger can hold.
    case amount(operation: String, path: String)

    /// Whether it lies in what was to be written, so that something else can be written meanwhile.
    public var isOfContent: Bool {
        switch self {
        case .damaged, .prices, .amount: true
        case .storage, .full, .schema, .inUse, .key: false
        }
    }

    public var description: String {
        switch self {
        case .storage(let operation, let path, let reason): "ledger \(path): cannot \(operation): \(reason)"
        case .full(let operation, let path): "ledger \(path): cannot \(operation): the disk is full"
        case .schema(let path, let found): "ledger \(path): schema version \(found) is not known to this program"
        case .inUse(let path, let holder):
            "ledger \(path): another accounting has it open (\(holder)); only one may write it"
        case .key(let path, let reason): "ledger key \(path): \(reason)"
        case .damaged(let path, let sequence, let reason): "ledger \(path): row \(sequence) is damaged: \(reason)"
        case .amount(let operation, let path):
            "ledger \(path): cannot \(operation): an amount is beyond what it can hold"
        case .prices(let reason): "prices: \(reason)"
        }
    }
}
