package import Economics
package import GRDB

/// Sums of 128 bits in SQLite, whose integers have 64.
///
/// A balance stands in two columns, the lower 63 bits and what is above them, so that a balance of the days when one
/// column was enough is read as it is. A report's sum is taken in three parts of 21 bits: each of them fits for 2⁴⁰
/// rows of any 64-bit number.
package enum WideColumn {
    private static let part: Int64 = 21
    private static let mask: Int64 = 1 << part - 1

    /// The columns of a balance; throws beyond 126 bits.
    package static func split(_ value: Int128) throws(AmountOverflow) -> (high: Int64, low: Int64) {
        guard let high = Int64(exactly: value >> 63) else { throw AmountOverflow() }
        return (high, Int64(truncatingIfNeeded: value & Int128(Int64.max)))
    }

    package static func join(high: Int64, low: Int64) -> Int128 { Int128(high) << 63 + Int128(low) }

    /// SQL for the columns that `sum` reads.
    static func sum(_ expression: String, as name: String, filter: String? = nil) -> String {
        let condition = filter.map { " FILTER (WHERE \($0))" } ?? ""
        return """
            sum(\(expression) >> \(2 * part))\(condition) AS \(name)_2,
            sum((\(expression) >> \(part)) & \(mask))\(condition) AS \(name)_1,
            sum(\(expression) & \(mask))\(condition) AS \(name)_0
            """
    }

    /// Nil for the sum of no rows.
    static func sum(_ row: Row, _ name: String) throws -> Int128? {
        guard let high = try row.optional(name + "_2", Int64.self),
            let middle = try row.optional(name + "_1", Int64.self),
            let low = try row.optional(name + "_0", Int64.self)
        else { return nil }
        return Int128(high) << Int128(2 * part) + Int128(middle) << Int128(part) + Int128(low)
    }
}

/// A column does not hold what the schema says.
package struct DamagedColumn: Error, CustomStringConvertible {
    var column: String
    package var description: String { "column \(column) holds something that the ledger never writes" }
}

extension Row {
    /// The column's value. GRDB's own subscript ends the process when it is of another type, which a damaged file can
    /// bring about.
    package func checked<Value: DatabaseValueConvertible>(_ column: String, _: Value.Type = Value.self) throws -> Value
    {
        guard let stored = self[column] as DatabaseValue?, let value = Value.fromDatabaseValue(stored) else {
            throw DamagedColumn(column: column)
        }
        return value
    }

    /// The same for a column that may be null, or that an older schema does not have.
    package func optional<Value: DatabaseValueConvertible>(_ column: String, _: Value.Type = Value.self) throws
        -> Value?
    {
        guard let stored = self[column] as DatabaseValue?, !stored.isNull else { return nil }
        guard let value = Value.fromDatabaseValue(stored) else { throw DamagedColumn(column: column) }
        return value
    }

    package func checked<Value: DatabaseValueConvertible>(at index: Int, _: Value.Type = Value.self) throws -> Value {
        guard index < count, let value = Value.fromDatabaseValue(self[index] as DatabaseValue) else {
            throw DamagedColumn(column: "\(index)")
        }
        return value
    }
}
