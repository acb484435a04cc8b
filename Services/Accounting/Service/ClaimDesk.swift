import Ledger
import Line
import Wire

/// Idempotency keys that are asked for. They do not wait for a group of events.
///
/// A request that seems to run may have ended, its end on the way or among the events that wait: such a claim is asked
/// again once what was there by then is on disk, and then the answer stands.
struct ClaimDesk {
    private struct Waiting: Sendable {
        var session: SessionRef
        var ask: ClaimAsk
        /// It was found running once.
        var isSecond = false
    }

    /// Claims that may wait; who asks beyond them is told to come again.
    private static let limit = 4096
    /// Nanoseconds in which the end of a request comes that its producer has stated already.
    private static let doubtTime: LinkTime = 40_000_000

    private var waiting: [Waiting] = []
    private var asked: [Waiting]?
    private var doubtful: [Waiting] = []
    private var doubtfulSince: LinkTime = 0
    /// The group with which the doubts end; nil before their time has come.
    private var doubtGroup: UInt64?

    /// - Returns: False when too many wait.
    mutating func add(_ ask: ClaimAsk, of session: SessionRef) -> Bool {
        guard waiting.count < Self.limit else { return false }
        waiting.append(Waiting(session: session, ask: ask))
        return true
    }

    /// All that wait, to be decided; nil while others are, or when none waits.
    mutating func begin() -> [ClaimAsk]? {
        guard asked == nil, !waiting.isEmpty else { return nil }
        asked = waiting
        defer { waiting = [] }
        return waiting.map(\.ask)
    }

    /// The ledger has decided; nil where it could not.
    /// - Returns: What is to be said, to whom.
    mutating func decided(
        _ answers: [ClaimAnswer]?, mayDoubt: Bool, now: LinkTime
    ) -> [(session: SessionRef, answer: ClaimAnswer)] {
        let group = asked ?? []
        asked = nil
        var told: [(session: SessionRef, answer: ClaimAnswer)] = []
        for (index, claim) in group.enumerated() {
            let answer = answers.flatMap { index < $0.count ? $0[index] : nil } ?? Self.refusal(of: claim.ask.claim)
            if answer.outcome == .running, !claim.isSecond, mayDoubt, doubtful.count < Self.limit {
                if doubtful.isEmpty { doubtfulSince = now }
                doubtful.append(Waiting(session: claim.session, ask: claim.ask, isSecond: true))
            } else {
                told.append((claim.session, answer))
            }
        }
        return told
    }

    static func refusal(of claim: Claim) -> ClaimAnswer {
        ClaimAnswer(number: claim.number, requestID: claim.requestID, outcome: .refused)
    }

    mutating func forget(_ session: SessionRef) {
        waiting.removeAll { $0.session == session }
        doubtful.removeAll { $0.session == session }
    }

    // MARK: Doubts

    /// Whether the time has come after which what is there counts: from then on the doubts end with a group.
    mutating func doubtsAreDue(_ now: LinkTime, _ events: borrowing EventGroups) -> Bool {
        guard !doubtful.isEmpty, doubtGroup == nil, now > doubtfulSince, now - doubtfulSince > Self.doubtTime else {
            return false
        }
        doubtGroup = events.isEmpty ? events.begun : events.begun + 1
        return true
    }

    /// Has the doubtful claims asked again, when what waited then is on disk, or could not be written.
    /// - Returns: Whether a group has to be written before.
    mutating func endDoubts(_ events: borrowing EventGroups, hasFailed: Bool) -> Bool {
        guard let group = doubtGroup, !events.isWriting else { return false }
        if events.begun < group, !hasFailed, !events.isEmpty { return true }
        waiting += doubtful
        doubtful = []
        doubtGroup = nil
        return false
    }
}
