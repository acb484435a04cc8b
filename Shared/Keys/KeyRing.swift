import Synchronization

/// The keys of clients, as their file says them now.
///
/// The file is read again when it changes (see `watch`), and what it says counts at once: a key that is withdrawn or
/// over is refused from then on, and whoever keeps a grant over time, as a session does, asks `isGood` when the
/// `generation` has changed, or is told by `onChange`. All methods may be called on any thread; none waits for the disk
/// but `reread`.
public final class KeyRing: Sendable {
    /// What a key was found good for.
    public struct Grant: Equatable, Sendable {
        public var tenant: String
        public var scopes: KeyScopes
        /// The tenant's share against the others that wait.
        public var weight: UInt32
        /// Requests of the tenant that may wait at once; nil: as many as its share of the queue.
        public var waiting: UInt32?
        /// Seconds since 1970 from which on it is good no more.
        public var expires: Int64?
        /// The CURVE public key, in Z85, that the client must bring to the ZeroMQ door; nil: any.
        public var curveKey: String?
        let digest: KeyDigest
    }

    fileprivate struct Rates: Sendable {
        var requests: RateBucket?
        var tokens: RateBucket?
    }

    private struct State: Sendable {
        var table: KeyTable
        fileprivate var rates: [KeyDigest: Rates] = [:]
        var onChange: (@Sendable (UInt64) -> Void)?
    }

    let path: String
    private let state: Mutex<State>
    private let generationNumber = Atomic<UInt64>(1)
    private let failedReadings = Atomic<UInt64>(0)
    /// Of the file as it was last looked at.
    let seen: Mutex<Seen>

    struct Seen: Sendable {
        var mark: FileMark?
        var content: KeyDigest
    }

    /// Reads a file.
    public convenience init(contentsOf path: String) throws(KeyFileError) {
        let (text, mark) = try FileMark.read(path)
        try self.init(parsing: text, path: path, mark: mark)
    }

    /// Keys as a file would have them.
    public convenience init(parsing text: String, path: String = "keys") throws(KeyFileError) {
        try self.init(parsing: text, path: path, mark: nil)
    }

    private init(parsing text: String, path: String, mark: FileMark?) throws(KeyFileError) {
        let table = try KeyFile.parse(text, path: path)
        guard table.count > 0 else { throw .empty(path: path) }
        self.path = path
        state = Mutex(State(table: table))
        seen = Mutex(Seen(mark: mark, content: KeyDigest(of: text)))
    }

    /// The file's first word for a key: its SHA-256 in hexadecimal.
    public static func hash(of key: String) -> String { KeyDigest(of: key).hexadecimal }

    // MARK: Asking

    /// Whether a key may be used for something.
    ///
    /// - Parameters:
    ///   - scope: One of them, or several that are all needed.
    ///   - now: Seconds since 1970.
    public func check(_ key: String, scope: KeyScopes, now: Int64) -> KeyCheckOutcome {
        let digest = KeyDigest(of: key)
        return state.withLock { Self.check(digest, scope: scope, now: now, $0.table) }
    }

    /// What has become of a grant: whether its key may still be used, and with which terms.
    public func check(_ grant: Grant, scope: KeyScopes, now: Int64) -> KeyCheckOutcome {
        state.withLock { Self.check(grant.digest, scope: scope, now: now, $0.table) }
    }

    /// Whether a grant that was given before is still good, to the same tenant.
    public func isGood(_ grant: Grant, scope: KeyScopes, now: Int64) -> Bool {
        guard case .granted(let present) = check(grant, scope: scope, now: now) else { return false }
        return present.tenant == grant.tenant
    }

    private static func check(
        _ digest: KeyDigest, scope: KeyScopes, now: Int64, _ table: KeyTable
    ) -> KeyCheckOutcome {
        guard let key = table.entry(digest)?.key else { return .unknown }
        if let expires = key.expires, now >= expires { return .expired }
        guard key.scopes.isSuperset(of: scope) else { return .forbidden }
        let terms = table.terms(of: key.tenant)
        return .granted(
            Grant(
                tenant: key.tenant, scopes: key.scopes, weight: terms.weight, waiting: terms.waiting,
                expires: key.expires, curveKey: key.curveKey, digest: digest))
    }

    /// The tenants of the file and what they are due.
    public var tenants: [String: TenantTerms] { state.withLock { $0.table.tenants } }

    /// The CURVE public keys, in Z85, of all keys that have one.
    public var curveKeys: Set<String> { state.withLock { $0.table.curveKeys } }

    // MARK: Rates

    /// Counts one request, and the tokens it is expected to take, against the key's rates.
    ///
    /// - Parameter now: Nanoseconds of a monotonic clock.
    /// - Returns: 0 when it may begin; else after how many nanoseconds to try again: nothing was counted.
    public func begin(_ grant: Grant, tokens: UInt64, now: UInt64) -> UInt64 {
        state.withLock { state in
            guard let key = state.table.entry(grant.digest)?.key else { return 0 }
            guard key.requestsPerMinute != nil || key.tokensPerMinute != nil else { return 0 }
            var rates = state.rates[grant.digest] ?? Rates()
            defer { state.rates[grant.digest] = rates }
            var wait: UInt64 = 0
            if let limit = key.requestsPerMinute {
                var bucket = rates.requests ?? RateBucket(full: limit, now: now)
                wait = bucket.wait(for: 1, limit, now: now)
                rates.requests = bucket
            }
            if let limit = key.tokensPerMinute {
                var bucket = rates.tokens ?? RateBucket(full: limit, now: now)
                wait = max(wait, bucket.wait(for: tokens, limit, now: now))
                rates.tokens = bucket
            }
            guard wait == 0 else { return wait }
            if key.requestsPerMinute != nil { rates.requests?.use(1) }
            if key.tokensPerMinute != nil { rates.tokens?.use(tokens) }
            return 0
        }
    }

    /// A request has ended: it took so many tokens, not those expected when it began.
    public func end(_ grant: Grant, expected: UInt64, used: UInt64) {
        guard expected != used else { return }
        state.withLock { state in
            if used > expected {
                state.rates[grant.digest]?.tokens?.use(used - expected)
            } else {
                state.rates[grant.digest]?.tokens?.giveBack(expected - used)
            }
        }
    }

    // MARK: Changes

    /// Grows whenever the file has been read with success: a grant of an earlier one is to be asked for again.
    public var generation: UInt64 { generationNumber.load(ordering: .acquiring) }

    /// Readings that failed, whose keys therefore do not count.
    public var failures: UInt64 { failedReadings.load(ordering: .relaxed) }

    /// Told, on the watching thread, that the keys have changed; one at a time.
    public func onChange(_ body: (@Sendable (_ generation: UInt64) -> Void)?) {
        state.withLock { $0.onChange = body }
    }

    func noteFailure() { failedReadings.wrappingAdd(1, ordering: .relaxed) }

    /// Puts other keys in place of all.
    func replace(with table: KeyTable) {
        let onChange = state.withLock { state in
            state.table = table
            state.rates = state.rates.filter { table.entry($0.key) != nil }
            return state.onChange
        }
        onChange?(generationNumber.wrappingAdd(1, ordering: .releasing).newValue)
    }
}

/// What became of asking for a key.
public enum KeyCheckOutcome: Sendable {
    case granted(KeyRing.Grant)
    /// Nobody's, or withdrawn.
    case unknown
    /// Its time is over.
    case expired
    /// Good, but not for this.
    case forbidden

    /// The grant, if there is one.
    public var grant: KeyRing.Grant? {
        if case .granted(let grant) = self { grant } else { nil }
    }
}
