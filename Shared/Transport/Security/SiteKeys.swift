import Synchronization

/// The CURVE keys of a site as one of its stations knows them: its own pair, and the public keys of each role, of which
/// a role may have several while keys are being changed.
///
/// Roles are names. May be used on any thread.
public final class SiteKeys: Sendable {
    private struct State {
        var own: KeyPair
        var listed: [String: [PublicKey]]
    }

    private let state: Mutex<State>
    private let generationNumber = Atomic<UInt64>(1)

    public init(own: KeyPair, listed: [String: [PublicKey]]) { state = Mutex(State(own: own, listed: listed)) }

    /// Puts other keys in place of all, for connections made from now on; sessions of keys that are listed no more are
    /// ended by their links.
    public func replace(own: KeyPair, listed: [String: [PublicKey]]) {
        state.withLock { $0 = State(own: own, listed: listed) }
        generationNumber.wrappingAdd(1, ordering: .releasing)
    }

    /// Grows with every `replace`.
    public var generation: UInt64 { generationNumber.load(ordering: .acquiring) }

    public var own: KeyPair { state.withLock { $0.own } }

    /// The public keys of a role, in their file's order.
    public func keys(of role: String) -> [PublicKey] { state.withLock { $0.listed[role] ?? [] } }

    func role(of key: PublicKey, among roles: [String]) -> String? {
        state.withLock { state in roles.first { state.listed[$0]?.contains(key) ?? false } }
    }
}

/// Which CURVE keys of clients are listed somewhere else, say in a file of API keys. Asked on the authenticator's thread.
public protocol ClientListing: Sendable {
    /// - Parameter key: In Z85.
    func lists(_ key: String) -> Bool
    /// Grows when keys may have been withdrawn.
    var generation: UInt64 { get }
}

/// Who may dial one link: the listed keys of the roles that belong on it, or, on a door for clients, any key.
public final class LinkGuard: Sendable {
    /// ZAP's domain: tells a context's links apart.
    public let domain: String
    /// What those with any key are on this link; nil admits listed keys alone.
    private let anybody: String?
    private let roles: [String]
    private let listing: (any ClientListing)?
    let keys: SiteKeys
    /// Counts the connections of the link's socket, for the authenticator.
    public let gate = ConnectionGate()

    /// - Parameters:
    ///   - domain: Unique among the links of a process.
    ///   - roles: Those whose listed keys are admitted.
    ///   - anybody: What whoever else brings a key is; nil refuses them.
    ///   - listing: Those alone, of whoever else brings a key, are admitted whom this lists; nil admits all.
    public init(
        domain: String, roles: [String], anybody: String? = nil, listing: (any ClientListing)? = nil, keys: SiteKeys
    ) {
        self.domain = domain
        self.roles = roles
        self.anybody = anybody
        self.listing = listing
        self.keys = keys
    }

    /// Grows when keys may have been withdrawn.
    public var generation: UInt64 { keys.generation &+ (listing?.generation ?? 0) }

    /// Role and key of whoever presents this key, as a ZAP user id; nil refuses.
    func user(of key: PublicKey) -> String? {
        if let role = keys.role(of: key, among: roles) { return "\(role) \(key.z85)" }
        guard let anybody, listing?.lists(key.z85) ?? true else { return nil }
        return "\(anybody) \(key.z85)"
    }

    /// The role of a user that was admitted before, if its key is still good.
    public func role(ofUser user: String) -> String? {
        guard let space = user.firstIndex(of: " "),
            let key = try? PublicKey(z85: String(user[user.index(after: space)...]))
        else { return nil }
        let role = String(user[..<space])
        return self.user(of: key) == user ? role : nil
    }

    /// The CURVE public key of a user that was admitted, in Z85.
    public static func publicKey(ofUser user: String) -> String? {
        user.firstIndex(of: " ").map { String(user[user.index(after: $0)...]) }
    }

    /// What the link's socket needs to be told.
    public var security: Security { .curveServer(keys.own.secretKey) }
}

/// What a station that dials shows, and whom it expects: its own key, and the listed keys of the role above.
public struct LinkCredentials: Sendable {
    private let above: String
    private let keys: SiteKeys

    /// - Parameter above: The role of the stations that are dialled.
    public init(above: String, keys: SiteKeys) {
        self.above = above
        self.keys = keys
    }

    /// For one attempt after another the listed keys of the role above in turn; nil when it has none.
    public func security(attempt: Int) -> Security? {
        let listed = keys.keys(of: above)
        guard !listed.isEmpty else { return nil }
        return .curveClient(server: listed[attempt % listed.count], own: keys.own)
    }
}

extension Endpoint {
    /// Whether a link at this address can be reached from other hosts, or goes to one: a name counts as another host.
    public var leavesHost: Bool {
        guard case .tcp(let host, _) = self else { return false }
        if host == "localhost" || host == "::1" { return false }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return !(parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil })
    }

    /// Whether a link with keys uses them here: not within the host's own sockets.
    var isTCP: Bool { if case .tcp = self { true } else { false } }
}
