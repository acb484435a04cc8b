public import Keys
import Station
import Wire

/// Who may use the doors, and on which terms.
public struct ClientAccess: Sendable {
    /// Nil: whoever can connect may use the doors.
    public var keys: KeyRing?
    /// The tenant of all requests on doors without keys.
    public var openTenant: String

    public init(keys: KeyRing?, openTenant: String = "default") {
        self.keys = keys
        self.openTenant = openTenant
    }

    /// Whose request it is.
    struct Client {
        var tenant: String
        /// Nil on doors without keys.
        var grant: KeyRing.Grant?
    }

    /// Whose key this is, or why it is refused.
    func client(of key: String) -> Result<Client, Refused> {
        guard let keys else { return .success(Client(tenant: openTenant)) }
        switch keys.check(key, scope: .infer, now: Self.now) {
        case .granted(let grant): return .success(Client(tenant: grant.tenant, grant: grant))
        case .unknown: return .failure(Refused(status: .unauthenticated, message: "no such API key"))
        case .expired: return .failure(Refused(status: .unauthenticated, message: "this API key has expired"))
        case .forbidden:
            return .failure(Refused(status: .forbidden, message: "this API key may not be used for completions"))
        }
    }

    /// The same at the ZeroMQ door, where an API key may be good with its client's CURVE key alone.
    ///
    /// - Parameter publicKey: The connection's, in Z85; nil where it has none, as on links within the host.
    func client(of key: String, publicKey: String?) -> Result<Client, Refused> {
        let client = client(of: key)
        guard case .success(let found) = client, let publicKey, let wanted = found.grant?.curveKey, publicKey != wanted
        else { return client }
        return .failure(Refused(status: .unauthenticated, message: "this API key comes with another client key"))
    }

    struct Refused: Error {
        var status: Status
        var message: String
    }

    /// Whether a grant is still good: its key may have been withdrawn, or its time be over.
    func isGood(_ grant: KeyRing.Grant?) -> Bool {
        guard let keys else { return true }
        return grant.map { keys.isGood($0, scope: .infer, now: Self.now) } ?? false
    }

    private static var now: Int64 { Int64(clamping: WallClock.now() / 1_000_000_000) }
}
