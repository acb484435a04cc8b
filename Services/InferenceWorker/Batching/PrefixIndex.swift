/// Sequences by their owner and a hash of their first tokens, as many as a common prefix must have to be of use: so that a prompt is
/// compared with those alone that begin as it does.
struct PrefixIndex: Sendable {
    private struct Key: Hashable {
        var owner: CacheOwner
        var tokens: UInt64
    }

    private let length: Int
    private var slotsByKey: [Key: [Int]] = [:]
    private var keyBySlot: [Key?]

    init(slots: Int, length: Int) {
        self.length = length
        keyBySlot = Array(repeating: nil, count: slots)
    }

    /// The owner's slots whose tokens may begin as these do, ascending.
    func slots(beginningAs tokens: [UInt32], of owner: CacheOwner) -> [Int] {
        key(of: tokens, owner).flatMap { slotsByKey[$0] } ?? []
    }

    /// The slot holds these tokens from now on.
    mutating func note(_ slot: Int, beginningAs tokens: [UInt32], of owner: CacheOwner) {
        let key = key(of: tokens, owner)
        guard key != keyBySlot[slot] else { return }
        remove(slot)
        keyBySlot[slot] = key
        guard let key else { return }
        let place = slotsByKey[key]?.firstIndex { $0 > slot } ?? slotsByKey[key]?.count ?? 0
        slotsByKey[key, default: []].insert(slot, at: place)
    }

    /// The slot holds nothing.
    mutating func remove(_ slot: Int) {
        guard let key = keyBySlot[slot] else { return }
        keyBySlot[slot] = nil
        slotsByKey[key]?.removeAll { $0 == slot }
        if slotsByKey[key]?.isEmpty == true { slotsByKey[key] = nil }
    }

    private func key(of tokens: [UInt32], _ owner: CacheOwner) -> Key? {
        guard tokens.count >= length else { return nil }
        var hash: UInt64 = 0x9e37_79b9_7f4a_7c15
        for token in tokens.prefix(length) {
            hash = (hash ^ UInt64(token)) &* 0xbf58_476d_1ce4_e5b9
            hash ^= hash >> 31
        }
        return Key(owner: owner, tokens: hash)
    }
}
