package import Ledger
import Economics
import GRDB

extension LedgerError {
    /// The error as this module throws it.
    package static func wrapping(_ error: any Error, operation: String, path: String) -> LedgerError {
        switch error {
        case let error as LedgerError: error
        case let error as PriceListError: .prices(error.description)
        case let error as DatabaseError where error.resultCode == .SQLITE_FULL: .full(operation: operation, path: path)
        case is AmountOverflow: .amount(operation: operation, path: path)
        case let error as DamagedColumn: .damaged(path: path, sequence: 0, reason: error.description)
        default: .storage(operation: operation, path: path, reason: String(describing: error))
        }
    }
}
