/// Decides when a dealer dials which of its router's addresses: all that its name has in turn, then a pause.
///
/// An address that refused is left alone for a minute, since the next attempt would fare no better: the peer, or an
/// operator, has to change first. A value: the time and chance are passed in, what to do comes out.
struct DialPlan<Address: Hashable & Sendable>: Sendable {
    enum Step: Equatable, Sendable {
        /// Find out which addresses there are, and say so by ``found(_:now:chance:)``.
        case lookUp
        case dial(Address)
        /// Ask again at this time.
        case wait(until: UInt64)
    }

    enum Failure: Sendable {
        /// Nobody was there, or no more.
        case lost
        /// The peer said ERROR, or is nothing that can be talked to.
        case refused
    }

    /// Nanoseconds for which an address that refused is left alone, at least; chance adds up to an eighth.
    static var refusalPause: UInt64 { 60_000_000_000 }

    private var backoff: Backoff
    /// Those of this round that were not tried yet, the next one last.
    private var untried: [Address] = []
    private var current: Address?
    private var refusedUntil: [Address: UInt64] = [:]
    /// When the next attempt is due.
    private(set) var at: UInt64 = 0

    init(_ backoff: Backoff) { self.backoff = backoff }

    /// What to do now; nothing is to be done while an attempt, or what came of it, stands.
    mutating func next(_ now: UInt64) -> Step {
        guard now >= at else { return .wait(until: at) }
        guard let address = untried.popLast() else { return .lookUp }
        current = address
        return .dial(address)
    }

    /// The addresses that there are, in the order in which they are to be tried; none if the name has none now.
    mutating func found(_ addresses: [Address], now: UInt64, chance: UInt64) {
        refusedUntil = refusedUntil.filter { $0.value > now && addresses.contains($0.key) }
        untried = addresses.filter { refusedUntil[$0] == nil }.reversed()
        guard untried.isEmpty else { return }
        at = refusedUntil.values.min() ?? now + backoff.failed(chance: chance)
    }

    /// The attempt, or the connection that came of it, has ended.
    mutating func failed(_ failure: Failure, now: UInt64, chance: UInt64) {
        if let current, failure == .refused {
            refusedUntil[current] = now + Self.refusalPause + chance % (Self.refusalPause / 8)
        }
        current = nil
        // The other addresses of the name need not wait for this one's sake.
        at = untried.isEmpty ? now + backoff.failed(chance: chance) : now
    }

    /// The handshake is done: the next loss begins a new round.
    mutating func succeeded() {
        untried = []
        backoff.succeeded()
    }
}
