import CZeroMQ

/// How a link is protected. The role is independent of who binds.
public enum Security: Sendable {
    /// Neither encrypted nor authenticated: for `inproc`, `ipc` and loopback.
    case plain
    /// Admits the clients that the context's ``ZAPAuthenticator`` allows, and none if there is no authenticator.
    case curveServer(SecretKey)
    /// Talks only to the server that holds this key's secret.
    case curveClient(server: PublicKey, own: KeyPair)
}

extension Security {
    /// What a client of a door needs to say: plain without the door's public key, in Z85; with it, a key of its own that
    /// is made for the occasion.
    public static func client(ofDoor serverKey: String?) throws(TransportError) -> Security {
        guard let serverKey, !serverKey.isEmpty else { return .plain }
        return .curveClient(server: try PublicKey(z85: serverKey), own: try KeyPair.generate())
    }
}

extension LibrarySocket {
    func apply(_ security: Security, domain: String) throws(TransportError) {
        switch security {
        case .plain: break
        case .curveServer(let secret):
            try set(ZMQ_CURVE_SERVER, 1)
            try set(ZMQ_CURVE_SECRETKEY, secret.z85)
            // Without these libzmq admits every client when no authenticator is there.
            try set(ZMQ_ZAP_DOMAIN, domain)
            try set(tf_zap_enforce_domain, 1)
        case .curveClient(let server, let own):
            try set(ZMQ_CURVE_SERVERKEY, server.z85)
            try set(ZMQ_CURVE_PUBLICKEY, own.publicKey.z85)
            try set(ZMQ_CURVE_SECRETKEY, own.secretKey.z85)
        }
    }
}
