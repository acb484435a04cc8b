/// Whose keys and values may answer a prompt: those of the same tenant with the same salt, and nobody else's. A hit tells
/// its client, by the count of cached tokens and by the time, that somebody sent the same beginning.
///
/// Owners are compared as they are, not by a hash: a tenant chooses its salts, and could choose one that collides.
public struct CacheOwner: Hashable, Sendable {
    public var tenant: String
    /// The client's, to share with fewer; empty for all of the tenant's.
    public var salt: String

    public init(tenant: String = "", salt: String = "") {
        self.tenant = tenant
        self.salt = salt
    }
}
