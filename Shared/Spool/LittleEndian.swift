/// Integers as they stand in a spool's files.
extension [UInt8] {
    mutating func append<Value: FixedWidthInteger>(little value: Value) {
        for shift in stride(from: 0, to: Value.bitWidth, by: 8) {
            append(UInt8(truncatingIfNeeded: value >> Value(shift)))
        }
    }
}

extension RandomAccessCollection<UInt8> where Index == Int {
    /// The integer that begins at this index; so many bytes must be there.
    func little<Value: FixedWidthInteger>(_ index: Int, _: Value.Type = Value.self) -> Value {
        self[index..<index + Value.bitWidth / 8].reversed().reduce(0) { $0 << 8 | Value($1) }
    }
}
