import Line
import Wire

/// Whose key each peer of a link has shown, by its routing id. The authenticator is asked at the handshake only, so what
/// a key may is held against the list again when the list changes.
///
/// A plain value. Holds an entry for each session, and some for sessions that have ended.
struct PeerKeys {
    private var users: [UInt64: String] = [:]
    /// Entries beyond two for each session that are kept before those of ended sessions go.
    private static let spare = 64

    var count: Int { users.count }

    /// Notes the key with which a peer says hello.
    /// - Parameters:
    ///   - user: the authenticator's name for the connection's key; nil where there is none.
    ///   - role: the role that the hello claims.
    ///   - roleOfUser: the role that a key is listed for; nil when it is listed no more.
    /// - Returns: false when the key is not one of that role: nothing is kept of the peer.
    mutating func note(
        _ user: String?, of peer: UInt64, claiming role: StationRole?, _ roleOfUser: (String) -> String?
    ) -> Bool {
        guard let user, let role, roleOfUser(user) == role.folderName else {
            users[peer] = nil
            return false
        }
        users[peer] = user
        return true
    }

    /// Keeps nothing of a peer that has no session.
    mutating func forget(_ peer: UInt64) { users[peer] = nil }

    /// Forgets peers whose sessions have ended, once there are many of them.
    mutating func prune(_ dispatcher: borrowing Dispatcher) {
        guard users.count > 2 * dispatcher.peerCount + Self.spare else { return }
        users = users.filter { dispatcher.info(of: $0.key) != nil }
    }

    /// Ends the sessions of peers whose keys are not listed for their role any more.
    mutating func endWithdrawn(_ dispatcher: inout Dispatcher, _ roleOfUser: (String) -> String?) {
        var known: [UInt64: String] = [:]
        for peer in dispatcher.allPeers {
            let id = peer.session.peer
            if let user = users[id], roleOfUser(user) == peer.role.folderName {
                known[id] = user
            } else {
                dispatcher.dismiss(id, .unauthenticated)
            }
        }
        users = known
    }
}
