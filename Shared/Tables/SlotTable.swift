/// Values under 64-bit keys that are never used twice: a slot's index below, its generation above.
///
/// Insertion, look-up and removal are array accesses; slots are reused, keys are not, so that a late frame for a value
/// that is gone finds nothing.
@frozen
public struct SlotTable<Value> {
    @usableFromInline var values: [Value?] = []
    @usableFromInline var generations: [UInt32] = []
    @usableFromInline var free: [UInt32] = []
    /// Values in the table.
    public var count: Int { counted }
    @usableFromInline var counted = 0

    public init() {}

    /// Puts a value in and returns its key, which is never 0.
    @inlinable
    public mutating func insert(_ value: consuming Value) -> UInt64 {
        counted += 1
        if let index = free.popLast() {
            values[Int(index)] = consume value
            return Self.key(index: index, generation: generations[Int(index)])
        }
        values.append(consume value)
        generations.append(1)
        return Self.key(index: UInt32(values.count - 1), generation: 1)
    }

    /// The value under a key, if it is still there.
    @inlinable
    public subscript(key: UInt64) -> Value? {
        let index = Int(UInt32(truncatingIfNeeded: key))
        guard index < values.count, generations[index] == UInt32(truncatingIfNeeded: key >> 32) else { return nil }
        return values[index]
    }

    /// Takes the value out; its key is spent.
    @inlinable
    @discardableResult
    public mutating func remove(_ key: UInt64) -> Value? {
        let index = Int(UInt32(truncatingIfNeeded: key))
        guard index < values.count, generations[index] == UInt32(truncatingIfNeeded: key >> 32),
            let value = values[index].take()
        else { return nil }
        generations[index] &+= 1
        if generations[index] == 0 { generations[index] = 1 }
        free.append(UInt32(index))
        counted -= 1
        return value
    }

    /// Keys of all values, in slot order.
    public var keys: [UInt64] {
        values.indices.compactMap { index in
            values[index] == nil ? nil : Self.key(index: UInt32(index), generation: generations[index])
        }
    }

    @inlinable
    static func key(index: UInt32, generation: UInt32) -> UInt64 {
        UInt64(generation) << 32 | UInt64(index)
    }
}
