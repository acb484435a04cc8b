import Foundation

/// A request as the ledger works on it: its state, what is posted of it, and what of it stands in the projections.
package final class OpenRequest {
    package var state: RequestState
    /// What the postings so far amount to.
    var position: Position
    /// Whether the transaction under way has changed it.
    var isTouched = false
    /// Whether the `request` table has it.
    package private(set) var isStored: Bool
    /// Its attempts as the `attempt` table has them.
    package private(set) var storedAttempts: [AttemptRecord]

    /// - Parameter isStored: whether it was read from the tables.
    package init(_ state: RequestState, isStored: Bool) {
        self.state = state
        self.isStored = isStored
        position = isStored ? Position(of: state) : .none
        storedAttempts = isStored ? state.attempts : []
    }

    /// The tables have it as it is now.
    func stored() {
        isStored = true
        storedAttempts = state.attempts
        isTouched = false
    }
}

/// Requests of the last transactions, so that the next event of one finds it without a query.
///
/// Holds between one and two times its capacity: when the younger half is full, the older one is forgotten.
package struct RequestCache {
    private var young: [Data: OpenRequest] = [:]
    private var old: [Data: OpenRequest] = [:]
    private let capacity: Int
    /// Numbers of producers beyond the first that is missing, which are on disk.
    var ahead: [UInt64: [ClosedRange<UInt64>]] = [:]
    /// Rows of the log when the last transaction ended: if there are more now, another process wrote.
    var sequence: Int64 = -1

    package init(capacity: Int = 16_384) { self.capacity = capacity }

    mutating func find(_ key: Data) -> OpenRequest? {
        if let request = young[key] { return request }
        guard let request = old[key] else { return nil }
        insert(request)
        return request
    }

    mutating func insert(_ request: OpenRequest) {
        // Within a transaction nothing that it touched may be lost: the halves change places between them.
        young[request.state.key] = request
    }

    /// The transaction under way is over.
    mutating func turn(sequence: Int64) {
        self.sequence = sequence
        // Forgetting only delays an acknowledgement: the producer sends again.
        if ahead.count > 1024 { ahead = [:] }
        guard young.count >= capacity else { return }
        old = young
        young = [:]
    }

    /// What it holds may not be what the tables have.
    mutating func clear() {
        young = [:]
        old = [:]
        ahead = [:]
        sequence = -1
    }
}
