import Testing

@testable import Transport

@Suite struct ValueTests {
    @Test(arguments: [
        ("tcp://127.0.0.1:7700", Endpoint.tcp(host: "127.0.0.1", port: 7700)),
        ("tcp://*:0", .tcp(host: "*", port: 0)),
        ("tcp://ingest.factory:65535", .tcp(host: "ingest.factory", port: 65535)),
        ("tcp://[::1]:80", .tcp(host: "::1", port: 80)),
        ("ipc:///run/x.sock", .ipc(path: "/run/x.sock")),
        ("inproc://name", .inproc(name: "name")),
    ])
    func `endpoints are read and printed`(text: String, endpoint: Endpoint) throws {
        #expect(try Endpoint(text) == endpoint)
        #expect(endpoint.description == text)
    }

    @Test(arguments: [
        "", "tcp://", "tcp://host", "tcp://host:", "tcp://:1", "tcp://host:65536", "tcp://host:-1", "tcp://host:+1",
        "tcp://host:1x", "tcp://::1:80", "tcp://[::1:80", "tcp://[]:80", "tcp://[name]:80", "tcp://a b:1",
        "tcp://src:1;dst:2", "tcp://a/b:1", "ipc://", "inproc://", "udp://host:1", "host:1", "ipc:///a\0b", "TCP://a:1",
    ])
    func `what is no endpoint is refused`(text: String) {
        #expect {
            _ = try Endpoint(text)
        } throws: { error in
            guard case .malformedEndpoint(text, _)? = error as? TransportError else { return false }
            return true
        }
    }

    @Test func `routing ids are random and begin with the role`() {
        var generator = SystemRandomNumberGenerator()
        let ids = (0..<100).map { _ in PeerID.random(role: 4, using: &generator) }
        #expect(ids.allSatisfy { $0.role == 4 })
        #expect(Set(ids).count == 100)
        #expect(PeerID(raw: 0xAB).description == "00000000000000ab")
    }

    @Test func `a routing frame is eight bytes that do not begin with 0`() {
        #expect(PeerID(routingFrame: [1, 2, 3, 4, 5, 6, 7, 8].span)?.raw == 0x0807_0605_0403_0201)
        #expect(PeerID(routingFrame: [0, 2, 3, 4, 5, 6, 7, 8].span) == nil)
        #expect(PeerID(routingFrame: [1, 2, 3, 4, 5, 6, 7].span) == nil)
        #expect(PeerID(routingFrame: [1, 2, 3, 4, 5, 6, 7, 8, 9].span) == nil)
    }

    @Test func `monitor events are read from libzmq's form`() {
        let endpoint = Array("tcp://a:1".utf8)
        #expect(
            MonitorEvent(head: [0x00, 0x02, 5, 0, 0, 0].span, endpoint: endpoint.span)
                == MonitorEvent(kind: .disconnected, endpoint: "tcp://a:1", descriptor: 5))
        #expect(
            MonitorEvent(head: [0x00, 0x40, 0x90, 0x01, 0, 0].span, endpoint: endpoint.span)?.kind
                == .handshakeFailed(.refused(400)))
        #expect(MonitorEvent(head: [0x00, 0x02, 5, 0, 0].span, endpoint: endpoint.span) == nil)
        #expect(MonitorEvent(head: [0x02, 0x00, 5, 0, 0, 0].span, endpoint: endpoint.span) == nil)
    }

    @Test func `the clock goes forward`() {
        let first = MonotonicClock.now()
        #expect(first > 0)
        #expect(MonotonicClock.now() >= first)
    }

    @Test func `Z85 agrees with its specification`() {
        let bytes: [UInt8] = [0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B]
        #expect(Z85.encode(bytes) == "HelloWorld")
        #expect(Z85.decode("HelloWorld") == bytes)
        #expect(Z85.encode([0, 0, 0, 0]) == "00000")
        #expect(Z85.encode([255, 255, 255, 255]) == "%nSc0")
        #expect(Z85.decode("%nSc0") == [255, 255, 255, 255])
        // One above 2³² − 1, a character outside the alphabet, a wrong length.
        #expect(Z85.decode("%nSc1") == nil)
        #expect(Z85.decode("Hell\"") == nil)
        #expect(Z85.decode("Hello1") == nil)
        #expect(Z85.encode([1, 2, 3]) == nil)
    }

    @Test func `key pairs are made, derived and read`() throws {
        let pair = try KeyPair.generate()
        #expect(try KeyPair.generate().publicKey != pair.publicKey)
        #expect(try KeyPair(secretKey: pair.secretKey).publicKey == pair.publicKey)
        #expect(try KeyPair(secretZ85: "  \(pair.secretKey.z85)\n").publicKey == pair.publicKey)
        for text in ["", "short", "\(pair.secretKey.z85) \(pair.secretKey.z85)", pair.secretKey.z85 + "00000"] {
            #expect(throws: TransportError.self) { _ = try KeyPair(secretZ85: text) }
        }
        #expect(throws: TransportError.self) { _ = try PublicKey(z85: "\"" + pair.publicKey.z85.dropFirst()) }
    }

    @Test func `a secret key does not print`() throws {
        let secret = try KeyPair.generate().secretKey
        var dumped = ""
        dump(secret, to: &dumped)
        for text in ["\(secret)", String(reflecting: secret), dumped] { #expect(!text.contains(secret.z85)) }
    }
}
