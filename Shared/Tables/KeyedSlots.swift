/// Values under keys that somebody else makes as ``SlotTable`` does: a dense index below, a generation above. Look-up
/// is an array access.
@frozen
public struct KeyedSlots<Value> {
    @usableFromInline var keys: [UInt64] = []
    @usableFromInline var values: [Value?] = []
    /// Values in the table.
    public var count: Int { counted }
    @usableFromInline var counted = 0

    public init() {}

    @inlinable
    public subscript(key: UInt64) -> Value? {
        get {
            let index = Int(UInt32(truncatingIfNeeded: key))
            guard index < keys.count, keys[index] == key else { return nil }
            return values[index]
        }
        set { set(newValue, for: key) }
    }

    @inlinable
    mutating func set(_ value: Value?, for key: UInt64) {
        let index = Int(UInt32(truncatingIfNeeded: key))
        if let value {
            while keys.count <= index {
                keys.append(0)
                values.append(nil)
            }
            if values[index] == nil { counted += 1 }
            keys[index] = key
            values[index] = value
        } else if index < keys.count, keys[index] == key, values[index] != nil {
            values[index] = nil
            counted -= 1
        }
    }
}
