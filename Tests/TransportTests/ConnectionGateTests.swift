import CZeroMQ
import Glibc
import Testing

@testable import Transport

/// Bounds on connections that libzmq holds: its own sockets bound none.
@Suite(.timeLimit(.minutes(5))) struct ConnectionGateTests {
    let context: Context
    let server: KeyPair
    let client: KeyPair
    let link: LinkGuard
    let authenticator: ZAPAuthenticator

    init() throws {
        context = try Context()
        server = try KeyPair.generate()
        client = try KeyPair.generate()
        link = LinkGuard(
            domain: "door", roles: [], anybody: "client", keys: SiteKeys(own: server, listed: [:]))
        authenticator = try ZAPAuthenticator(context, guards: [link])
    }

    private func router(_ change: (inout SocketOptions) -> Void) throws -> RouterSocket {
        var options = SocketOptions()
        options.securityDomain = link.domain
        options.gate = link.gate
        options.limits.hasStrangers = true
        change(&options)
        return try RouterSocket(context, options: options, security: link.security)
    }

    private func dealer(_ own: KeyPair, _ bound: Endpoint) throws -> DealerSocket {
        var dealer = try DealerSocket(
            context, routingID: .fresh(), security: .curveClient(server: server.publicKey, own: own))
        try dealer.connect(bound)
        return dealer
    }

    /// Takes the router's events until something is so.
    private func await(_ router: inout RouterSocket, _ isSo: () throws -> Bool) throws {
        let end = MonotonicClock.now() + UInt64(patience) * 1_000_000
        while try !isSo() {
            guard MonotonicClock.now() < end else { throw TimedOut() }
            if try router.nextEvent() == nil { _ = try router.wait(milliseconds: 1) }
        }
    }

    /// The dealer's hello, which the router takes as one.
    private func introduce(_ dealer: inout DealerSocket, to router: inout RouterSocket) throws {
        let end = MonotonicClock.now() + UInt64(patience) * 1_000_000
        while !dealer.isEstablished, MonotonicClock.now() < end {
            _ = try router.nextEvent()
            _ = try dealer.nextEvent()
            _ = try dealer.wait(milliseconds: 1)
        }
        #expect(dealer.sendAll([1]) == .sent)
        while MonotonicClock.now() < end {
            if let hello = try router.receive() {
                #expect(hello.message.source != nil)
                router.admit(hello.peer, source: hello.message.source)
                return
            }
            _ = try router.wait(milliseconds: 1)
            _ = try router.nextEvent()
        }
        throw TimedOut()
    }

    @Test func `strangers give way to newcomers, whoever is known stays`() throws {
        var router = try router {
            $0.limits.strangers = 3
            $0.limits.handshakeMilliseconds = 60_000
        }
        let bound = try router.bind(SocketTests.tcp)
        var strangers: [Stranger] = []
        for count in 1...3 {
            strangers.append(try Stranger(bound))
            try self.await(&router) { link.gate.count == count }
        }
        #expect(link.gate.strangers == 3)
        var known = try dealer(client, bound)
        try introduce(&known, to: &router)
        #expect(link.gate.strangers == 2 && link.gate.count == 3)
        #expect(try !strangers[0].hearUntilClosed(nil).isEmpty)
        for _ in 0..<10 {
            strangers.append(try Stranger(bound))
            let before = link.gate.refused
            try self.await(&router) { link.gate.refused > before || link.gate.strangers == 3 }
        }
        try self.await(&router) { link.gate.refused >= 10 }
        #expect(router.counters.refusals.crowded == link.gate.refused)
        #expect(known.isEstablished == true)
        #expect(known.sendAll([2]) == .sent)
        #expect(try router.awaitFrame().bytes == [2])
        // What has ended is forgotten.
        strangers = []
        try self.await(&router) { link.gate.count == 1 && link.gate.strangers == 0 }
    }

    @Test func `a stranger that sends without end, or stays one, is ended`() throws {
        var router = try router {
            $0.limits.strangerBytes = 10_000
            $0.limits.handshakeMilliseconds = 60_000
        }
        let bound = try router.bind(SocketTests.tcp)
        // It may do its handshake with a key of its own; then come the parts of a message that has no end.
        let rogue = try LibrarySocket(context, type: ZMQ_DEALER, options: SocketOptions())
        try rogue.apply(.curveClient(server: server.publicKey, own: client), domain: "")
        try rogue.startMonitor()
        try rogue.connect(bound)
        var known = try dealer(.generate(), bound)
        try introduce(&known, to: &router)
        var parts = 0
        try self.await(&router) {
            while try rogue.nextEvent() != nil {}
            if rogue.isEstablished, rogue.send(part: [UInt8](repeating: 1, count: 1000), more: true) == .sent {
                parts += 1
            }
            link.gate.tend(MonotonicClock.now())
            return link.gate.unfinished == 1
        }
        #expect(parts >= 9)
        rogue.close()

        let silent = try Stranger(bound)
        try self.await(&router) { link.gate.strangers == 1 }
        link.gate.tend(MonotonicClock.now() + 9_000_000_000)
        #expect(router.counters.refusals.unfinished == 1)
        link.gate.tend(MonotonicClock.now() + 10_000_000_000)
        #expect(router.counters.refusals.unfinished == 2)
        _ = try silent.hearUntilClosed(nil)
        #expect(known.sendAll([2]) == .sent)
        #expect(try router.awaitFrame().bytes == [2])
    }

    @Test func `a newcomer is ended where all places are taken by those who are known`() throws {
        var router = try router { $0.limits.connectionsPerAddress = 1 }
        let bound = try router.bind(SocketTests.tcp)
        var known = try dealer(client, bound)
        try introduce(&known, to: &router)
        let late = try Stranger(bound)
        try self.await(&router) { link.gate.refused == 1 }
        _ = try late.hearUntilClosed(nil)
        #expect(link.gate.count == 1)
        #expect(link.gate.admits(PeerAddress("127.0.0.1")))
    }

    @Test func `the authenticator turns away whom the gate cannot end`() {
        let gate = ConnectionGate()
        var limits = ConnectionLimits()
        limits.hasStrangers = true
        limits.connections = 2
        gate.open(port: nil, limits: limits)
        for descriptor in [1000, 1001] as [Int32] {
            gate.accepted(descriptor)
            #expect(gate.admits(PeerAddress("192.0.2.1")))
        }
        gate.accepted(1002)
        #expect(!gate.admits(PeerAddress("192.0.2.1")))
        #expect(gate.refused == 1)
        gate.ended(1000)
        #expect(gate.admits(nil))
    }

    @Test func `a handshake that takes too long is ended by libzmq`() throws {
        var router = try router { $0.limits.handshakeMilliseconds = 50 }
        let stranger = try Stranger(router.bind(SocketTests.tcp))
        try self.await(&router) { link.gate.count == 1 }
        try self.await(&router) { link.gate.count == 0 }
        _ = try stranger.hearUntilClosed(nil)
    }

    @Test func `a door for listed clients admits their keys alone`() throws {
        struct Listing: ClientListing {
            let key: String
            func lists(_ key: String) -> Bool { key == self.key }
            var generation: UInt64 { 3 }
        }
        let keys = SiteKeys(own: server, listed: ["ingest": [server.publicKey]])
        let door = LinkGuard(
            domain: "listed", roles: [], anybody: "client", listing: Listing(key: client.publicKey.z85), keys: keys)
        #expect(door.user(of: client.publicKey) == "client \(client.publicKey.z85)")
        #expect(try door.user(of: KeyPair.generate().publicKey) == nil)
        #expect(door.user(of: server.publicKey) == nil)
        #expect(door.role(ofUser: "client \(client.publicKey.z85)") == "client")
        #expect(LinkGuard.publicKey(ofUser: "client \(client.publicKey.z85)") == client.publicKey.z85)
        #expect(door.generation == keys.generation + 3)
    }

    @Test func `long frames leave place for few strangers`() {
        var options = SocketOptions()
        options.boundStrangersOfLibrary()
        #expect(Int64(options.limits.strangers) * options.maximumMessageBytes <= 112 << 20)
        options = SocketOptions()
        options.maximumMessageBytes = 1 << 20
        options.boundStrangersOfLibrary()
        #expect(options.limits.strangers == 112)
        options.maximumMessageBytes = 0
        options.boundStrangersOfLibrary()
        #expect(options.limits.strangers == 112)
    }
}
