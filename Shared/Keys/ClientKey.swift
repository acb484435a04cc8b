/// What a key may be used for.
public struct KeyScopes: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Completions, at both doors.
    public static let infer = KeyScopes(rawValue: 1)
    /// Reports and audits of the key's own tenant.
    public static let report = KeyScopes(rawValue: 2)
    /// All tenants' reports, the metrics, whatever an operator does.
    public static let admin = KeyScopes(rawValue: 4)

    /// Those of a line that names none.
    public static let ordinary: KeyScopes = [.infer, .report]

    init?(word: Substring) {
        switch word {
        case "infer": self = .infer
        case "report": self = .report
        case "admin": self = .admin
        default: return nil
        }
    }
}

/// One line of a file of keys: whose key it is, and what it may do.
public struct ClientKey: Equatable, Sendable {
    public var tenant: String
    public var scopes = KeyScopes.ordinary
    /// Seconds since 1970 from which on it is good no more; nil for never.
    public var expires: Int64?
    /// Nil: as many as there are.
    public var requestsPerMinute: UInt64?
    /// Tokens of prompts and answers; nil: as many as there are.
    public var tokensPerMinute: UInt64?
    /// The CURVE public key, in Z85, that its client brings to the ZeroMQ door; nil: any.
    public var curveKey: String?

    public init(tenant: String) { self.tenant = tenant }
}

/// A tenant's share of what there is. All keys of a tenant state the same, or leave it to another one.
public struct TenantTerms: Equatable, Sendable {
    /// Against the weights of the others that wait.
    public var weight: UInt32
    /// Requests of the tenant that may wait at once; nil: as many as its share of the queue.
    public var waiting: UInt32?

    public init(weight: UInt32 = 1, waiting: UInt32? = nil) {
        self.weight = weight
        self.waiting = waiting
    }
}
