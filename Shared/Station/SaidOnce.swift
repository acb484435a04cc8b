import Synchronization

/// What was complained of already, so that whatever is tried again and again is said once.
public final class SaidOnce: Sendable {
    private static let limit = 1024
    private let said = Mutex<Set<String>>([])

    public init() {}

    /// Whether that is to be said now.
    public func isNew(_ complaint: String) -> Bool {
        said.withLock { said in
            if said.count >= Self.limit { said.removeAll() }
            return said.insert(complaint).inserted
        }
    }
}
