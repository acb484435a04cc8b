import Glibc

/// Descriptors that the process may have, and how many of them connections may take: the rest is for the spool, the
/// ledger and whatever else must be opened while the station runs.
public struct DescriptorBudget: Sendable {
    /// Those that are not for connections.
    private static let kept = 256
    /// More than any station needs; some systems have no limit.
    private static let most = 1 << 20

    public let limit: Int

    /// - Parameter limit: As the system has it.
    public init(limit: Int) { self.limit = max(0, limit) }

    /// Raises the soft limit to the hard one, as far as the system lets it.
    public static func raised() -> DescriptorBudget {
        var limits = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 else {
            return DescriptorBudget(limit: 1024)
        }
        let wanted = min(limits.rlim_max, rlim_t(most))
        if wanted > limits.rlim_cur {
            var raised = limits
            raised.rlim_cur = wanted
            if unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limits = raised }
        }
        return DescriptorBudget(limit: Int(clamping: min(limits.rlim_cur, rlim_t(most))))
    }

    /// All that connections may take.
    public var forConnections: Int { limit - min(Self.kept, limit / 2) }

    /// The connections of one of several listeners.
    /// - Parameters:
    ///   - percent: Its part of what all may take.
    ///   - wanted: What it takes where there is enough.
    public func connections(percent: Int, atMost wanted: Int) -> Int {
        max(1, min(wanted, forConnections * percent / 100))
    }
}
