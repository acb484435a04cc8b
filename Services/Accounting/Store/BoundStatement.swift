import Foundation
import GRDB
import GRDBSQLite

/// A prepared statement that changes rows, bound by position: GRDB's own way boxes each value, which costs more than
/// SQLite does.
///
/// Invariant of the unsafe calls: the statement belongs to the connection whose transaction goes on, on whose thread
/// this is used; values are copied by SQLite before a bind returns.
@safe struct BoundStatement {
    private let statement: Statement

    init(_ db: Database, _ sql: String) throws {
        statement = try db.cachedStatement(sql: sql)
    }

    /// Runs the statement once; `bind` gives each of its parameters a value, in order.
    func run(_ bind: (inout Values) -> Void) throws {
        let handle = unsafe statement.sqliteStatement
        var values = unsafe Values(handle)
        bind(&values)
        defer { unsafe sqlite3_reset(handle) }
        let stepped = values.failure == SQLITE_OK ? unsafe sqlite3_step(handle) : values.failure
        guard stepped == SQLITE_DONE else {
            throw DatabaseError(
                resultCode: ResultCode(rawValue: stepped),
                message: unsafe String(cString: sqlite3_errmsg(sqlite3_db_handle(handle))))
        }
    }

    /// The parameters of one run.
    @safe struct Values {
        private let handle: OpaquePointer
        private var index: Int32 = 0
        /// The first bind that failed.
        fileprivate var failure = SQLITE_OK

        fileprivate init(_ handle: OpaquePointer) { unsafe self.handle = handle }

        mutating func add(_ value: some BinaryInteger) {
            guard let value = Int64(exactly: value) else { return note(SQLITE_MISMATCH) }
            note(unsafe sqlite3_bind_int64(handle, next(), value))
        }

        mutating func add(_ value: Int64?) {
            guard let value else { return note(unsafe sqlite3_bind_null(handle, next())) }
            add(value)
        }

        mutating func add(_ value: Bool) { add(value ? 1 : 0) }

        mutating func add(_ text: String) {
            guard let count = Int32(exactly: text.utf8.count) else { return note(SQLITE_TOOBIG) }
            note(unsafe sqlite3_bind_text(handle, next(), text, count, Self.copied))
        }

        mutating func add(_ bytes: Data) {
            guard let count = Int32(exactly: bytes.count) else { return note(SQLITE_TOOBIG) }
            let place = next()
            let code = unsafe bytes.withUnsafeBytes { bytes in
                unsafe bytes.isEmpty
                    ? sqlite3_bind_zeroblob(handle, place, 0)
                    : sqlite3_bind_blob(handle, place, bytes.baseAddress, count, Self.copied)
            }
            note(code)
        }

        private mutating func next() -> Int32 {
            index += 1
            return index
        }

        private mutating func note(_ code: Int32) {
            if failure == SQLITE_OK { failure = code }
        }

        /// SQLite's `SQLITE_TRANSIENT`, which Swift cannot import.
        private static var copied: sqlite3_destructor_type {
            unsafe unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        }
    }
}
