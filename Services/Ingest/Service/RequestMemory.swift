import Wire

/// Ids of requests that are in the works or were not long ago, so that one sent twice is not done twice.
///
/// Bounded: the oldest finished ones are forgotten. The ledger catches what comes after that.
struct RequestMemory {
    private struct Key: Hashable {
        var tenant: String
        var id: RequestID
    }

    private var known: Set<Key> = []
    private var finished: [Key] = []
    private var head = 0
    private let capacity: Int

    init(capacity: Int = 65_536) { self.capacity = capacity }

    /// Notes a request; false when it is known already.
    mutating func begin(_ id: RequestID, tenant: String) -> Bool {
        known.insert(Key(tenant: tenant, id: id)).inserted
    }

    /// The request was refused before anything was done: it may come again.
    mutating func withdraw(_ id: RequestID, tenant: String) { known.remove(Key(tenant: tenant, id: id)) }

    /// The request has ended.
    mutating func end(_ id: RequestID, tenant: String) {
        let key = Key(tenant: tenant, id: id)
        if finished.count < capacity {
            finished.append(key)
        } else {
            known.remove(finished[head])
            finished[head] = key
            head = (head + 1) % capacity
        }
    }
}
