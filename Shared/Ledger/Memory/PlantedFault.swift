/// A fault that a ledger in memory can be given, to see that tests and simulations find it. No program has one.
package enum PlantedFault: String, Sendable, CaseIterable {
    /// An end that is not in the rules' cache is not known: a request can end twice.
    case forgetsEnds
    /// Rows of a name that stands in the log already are appended again: duplicates count.
    case forgetsNames
    /// Some rows of the log are not written.
    case losesARow
    /// Some postings are not written.
    case losesAPosting
    /// Events that do not count are not listed.
    case listsNoConflict
    /// Only the debits of an account are added up.
    case addsOneSideOnly
    /// What a request owes is stored as twice as much.
    case billsTwice
    /// A producer is told that one event more is there than is.
    case acknowledgesBeyondGaps
    /// A claim is granted to whoever asks.
    case grantsClaimsTwice
    /// Heads of commits are not signed.
    case signsNoHead
    /// Commits are lost by a restart although they were said to be there.
    case losesCommits
}
