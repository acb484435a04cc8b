import CZeroMQ
import Testing

@testable import Transport

@Suite(.timeLimit(.minutes(5))) struct SecurityTests {
    let context: Context
    let server: KeyPair
    let client: KeyPair

    init() throws {
        context = try Context()
        server = try KeyPair.generate()
        client = try KeyPair.generate()
    }

    private func dealer(_ key: PublicKey, _ own: KeyPair) throws -> DealerSocket {
        try DealerSocket(context, routingID: .fresh(), security: .curveClient(server: key, own: own))
    }

    @Test func `a client on the list gets in under its name`() throws {
        let authenticator = try ZAPAuthenticator(context, allowed: [client.publicKey: "worker-1"])
        var router = try RouterSocket(context, security: .curveServer(server.secretKey))
        let bound = try router.bind(.tcp(host: "127.0.0.1", port: 0))
        var dealer = try dealer(server.publicKey, client)
        try dealer.connect(bound)
        try dealer.await { $0 == .handshakeSucceeded }
        #expect(dealer.sendAll([1, 2, 3]) == .sent)
        #expect(try router.wait(milliseconds: patience))
        if let frame = try router.receive() {
            #expect(frame.message.userID == "worker-1")
            #expect(frame.message.peerAddress == "127.0.0.1")
            #expect(frame.message.bytes.array == [1, 2, 3])
            #expect(router.send([4].span, to: frame.peer) == .sent)
            #expect(try dealer.awaitFrame() == [4])
        } else {
            Issue.record("nothing received")
        }
        #expect(authenticator.accepted == 1)
        #expect(authenticator.refused == 0)
    }

    @Test func `a client that is not on the list is refused, until it is`() throws {
        let authenticator = try ZAPAuthenticator(context)
        var router = try RouterSocket(context, security: .curveServer(server.secretKey))
        let bound = try router.bind(.tcp(host: "127.0.0.1", port: 0))
        var dealer = try dealer(server.publicKey, client)
        try dealer.connect(bound)
        try dealer.await { $0 == .handshakeFailed(.refused(400)) }
        #expect(dealer.sendAll([1]) == .unreachable)
        #expect(authenticator.refused >= 1)
        #expect(authenticator.accepted == 0)

        authenticator.allow(client.publicKey, as: "late")
        var second = try self.dealer(server.publicKey, client)
        try second.connect(bound)
        try second.await { $0 == .handshakeSucceeded }
        #expect(authenticator.accepted >= 1)

        authenticator.revoke(client.publicKey)
        var third = try self.dealer(server.publicKey, client)
        try third.connect(bound)
        try third.await { $0 == .handshakeFailed(.refused(400)) }
    }

    @Test func `without an authenticator nobody gets in`() throws {
        // The server holds such a handshake until its time is over.
        var options = SocketOptions()
        options.handshakeTimeout = 200
        var router = try RouterSocket(context, options: options, security: .curveServer(server.secretKey))
        let bound = try router.bind(.tcp(host: "127.0.0.1", port: 0))
        var dealer = try dealer(server.publicKey, client)
        try dealer.connect(bound)
        try dealer.await {
            #expect($0 != .handshakeSucceeded)
            return $0 == .disconnected || $0 == .handshakeFailed(.noDetail(EPIPE))
        }
        #expect(dealer.sendAll([1]) == .unreachable)
    }

    @Test func `a client with the wrong server key does not talk`() throws {
        let authenticator = try ZAPAuthenticator(context, allowed: [client.publicKey: "x"])
        var router = try RouterSocket(context, security: .curveServer(server.secretKey))
        let bound = try router.bind(.tcp(host: "127.0.0.1", port: 0))
        var dealer = try dealer(KeyPair.generate().publicKey, client)
        try dealer.connect(bound)
        try dealer.await {
            #expect($0 != .handshakeSucceeded)
            if case .handshakeFailed = $0 { return true }
            return $0 == .disconnected
        }
        #expect(authenticator.accepted == 0)
    }

    @Test func `a plain client cannot talk to a server that has keys`() throws {
        let authenticator = try ZAPAuthenticator(context, allowed: [client.publicKey: "x"])
        var router = try RouterSocket(context, security: .curveServer(server.secretKey))
        let bound = try router.bind(.tcp(host: "127.0.0.1", port: 0))
        var dealer = try DealerSocket(context, routingID: .fresh())
        try dealer.connect(bound)
        try dealer.await {
            #expect($0 != .handshakeSucceeded)
            if case .handshakeFailed = $0 { return true }
            return $0 == .disconnected
        }
        #expect(authenticator.accepted == 0)
    }

    @Test func `one context has one authenticator`() throws {
        let first = try ZAPAuthenticator(context)
        #expect(throws: TransportError.self) { _ = try ZAPAuthenticator(context) }
        first.replace(allowed: [:])
    }

    @Test func `a ZAP request needs its frames`() {
        let frames = ["1.0", "id", "domain", "1.2.3.4", "", "CURVE", "key"].map { Array($0.utf8) }
        #expect(ZAPRequest(frames)?.mechanism == "CURVE")
        #expect(ZAPRequest(frames)?.credentials == Array("key".utf8))
        #expect(ZAPRequest(Array(frames.prefix(5))) == nil)
        #expect(ZAPRequest([Array("2.0".utf8)] + frames.dropFirst()) == nil)
        #expect(ZAPRequest([]) == nil)
    }
}
