/// Values under 64-bit keys that are never used twice: a slot's index below, its generation above.
///
/// Insertion, look-up and removal are array accesses; slots are reused, keys are not, so that a late frame for a value
/// that is gone finds nothing.
public struct SlotTable<Value> {
    private var values: [Value?] = []
    private var generations: [UInt32] = []
    private var free: [UInt32] = []
    /// Values in the table.
    public private(set) var count = 0

    public init() {}

    /// Puts a value in and returns its key, which is never 0.
    public mutating func insert(_ value: consuming Value) -> UInt64 {
        count += 1
        if let index = free.popLast() {
            values[Int(index)] = consume value
            return Self.key(index: index, generation: generations[Int(index)])
        }
        values.append(consume value)
        generations.append(1)
        return Self.key(index: UInt32(values.count - 1), generation: 1)
    }

    /// The value under a key, if it is still there.
    public subscript(key: UInt64) -> Value? {
        guard let index = index(of: key) else { return nil }
        return values[index]
    }

    /// Runs `body` on the value in place; nil when the key is unknown.
    public mutating func update<Result, Failure: Error>(
        _ key: UInt64, _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        guard let index = index(of: key) else { return nil }
        // Taken out and put back, so that arrays within the value stay uniquely referenced.
        guard var value = values[index].take() else { return nil }
        defer { values[index] = value }
        return try body(&value)
    }

    /// Takes the value out; its key is spent.
    @discardableResult
    public mutating func remove(_ key: UInt64) -> Value? {
        guard let index = index(of: key), let value = values[index].take() else { return nil }
        generations[index] &+= 1
        if generations[index] == 0 { generations[index] = 1 }
        free.append(UInt32(index))
        count -= 1
        return value
    }

    /// Keys of all values, in slot order.
    public var keys: [UInt64] {
        values.indices.compactMap { index in
            values[index] == nil ? nil : Self.key(index: UInt32(index), generation: generations[index])
        }
    }

    private func index(of key: UInt64) -> Int? {
        let index = Int(UInt32(truncatingIfNeeded: key))
        guard index < values.count, generations[index] == UInt32(truncatingIfNeeded: key >> 32), values[index] != nil
        else { return nil }
        return index
    }

    private static func key(index: UInt32, generation: UInt32) -> UInt64 {
        UInt64(generation) << 32 | UInt64(index)
    }
}
