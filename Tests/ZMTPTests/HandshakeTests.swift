import Seeds
import Testing

@testable import ZMTP

private let greeting: [UInt8] =
    [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1] + Array("NULL".utf8) + [UInt8](repeating: 0, count: 48)

/// A READY of this type, with the properties of the specification's example.
private func ready(_ type: String, identity: [UInt8] = []) -> [UInt8] {
    let body =
        [5] + Array("READY".utf8) + [11] + Array("Socket-Type".utf8) + [0, 0, 0, UInt8(type.utf8.count)]
        + Array(type.utf8) + [8] + Array("Identity".utf8) + [0, 0, 0, UInt8(identity.count)] + identity
    return [4, UInt8(body.count)] + body
}

@Suite struct HandshakeTests {
    private let id: [UInt8] = [3, 1, 4, 1, 5, 9, 2, 6]

    @Test func `greeting and READY are the specification's bytes`() throws {
        #expect(Handshake.greeting == greeting)
        #expect(greeting.count == 64)
        #expect(Command.ready(socketType: "DEALER", identity: id).frame == ready("DEALER", identity: id))
        #expect(Command.ping(timeToLive: 0x0102, context: [9]).frame == [4, 8, 4] + Array("PING".utf8) + [1, 2, 9])
        #expect(Command.pong(context: [9]).frame == [4, 6, 4] + Array("PONG".utf8) + [9])
    }

    @Test(arguments: [1, 2, 3, 63, 64, 65, 1000]) func `two sides meet, however the bytes are cut`(piece: Int) throws {
        var router = Side(.router)
        var dealer = Side(.dealer(identity: id))
        var toRouter = Handshake.greeting
        var toDealer = Handshake.greeting
        for _ in 0..<1000 where router.peer == nil || dealer.peer == nil {
            toDealer += try router.take(&toRouter, piece)
            toRouter += try dealer.take(&toDealer, piece)
        }
        #expect(router.peer == Handshake.Peer(socketType: "DEALER", identity: id, hasHeartbeats: true))
        #expect(dealer.peer == Handshake.Peer(socketType: "ROUTER", identity: [], hasHeartbeats: true))
        #expect(router.waiting.isEmpty && dealer.waiting.isEmpty)
    }

    @Test func `what follows READY is left`() throws {
        var handshake = Handshake(.router)
        let bytes = greeting + ready("DEALER", identity: id)
        let step = try handshake.receive((bytes + [0, 1, 7]).span)
        #expect(step.consumed == bytes.count)
        #expect(step.peer?.identity == id)
        #expect(step.reply == ready("ROUTER"))
    }

    @Test func `a peer of version 3.0 has no heartbeats`() throws {
        var handshake = Handshake(.router)
        var old = greeting
        old[11] = 0
        #expect(try handshake.receive((old + ready("DEALER")).span).peer?.hasHeartbeats == false)
    }

    @Test(arguments: ["REQ", "REP", "SUB", ""]) func `a socket of another type gets ERROR in place of READY`(
        type: String
    ) throws {
        for role in [Handshake.Role.router, .dealer(identity: id)] {
            var handshake = Handshake(role)
            let first = try handshake.receive(greeting.span)
            #expect(first.reply == (role == .router ? [] : ready("DEALER", identity: id)))
            let error = #expect(throws: ZMTPError.self) { try handshake.receive(ready(type).span) }
            #expect(error == .incompatibleSocket(type))
            let farewell = error?.farewell ?? []
            #expect(farewell.first == 4)
            let body = Array(farewell.dropFirst(2))
            let command = try Command(body.span)
            #expect(command == .error(reason: "Invalid socket type \(type)"))
        }
    }

    @Test func `what would fare no better at the next attempt is told from a fault on the way`() {
        #expect(ZMTPError.refused("400").isRefusal && ZMTPError.notZeroMQ.isRefusal)
        #expect(ZMTPError.mechanismMismatch("CURVE").isRefusal && ZMTPError.incompatibleSocket("REP").isRefusal)
        #expect(ZMTPError.unsupportedVersion(2).isRefusal)
        #expect(!ZMTPError.malformedFrame(flags: 255).isRefusal && !ZMTPError.unexpected("PING").isRefusal)
        #expect(ZMTPError.notZeroMQ.farewell.isEmpty && ZMTPError.refused("400").farewell.isEmpty)
    }

    @Test func `who does not belong here is refused, and told apart`() {
        func refusal(_ bytes: [UInt8]) -> ZMTPError? {
            var handshake = Handshake(.router)
            do throws(ZMTPError) {
                _ = try handshake.receive(bytes.span)
                return nil
            } catch {
                return error
            }
        }
        #expect(refusal(Array("GET / HTTP/1.1\r\n\r\n".utf8)) == .notZeroMQ)
        #expect(refusal([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7e]) == .notZeroMQ)
        #expect(refusal([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 1]) == .unsupportedVersion(1))
        var curve = greeting
        curve.replaceSubrange(12..<17, with: Array("CURVE".utf8))
        #expect(refusal(curve) == .mechanismMismatch("CURVE"))
        #expect(refusal(greeting + ready("SUB")) == .incompatibleSocket("SUB"))
        #expect(refusal(greeting + Command.error(reason: "400").frame) == .refused("400"))
        #expect(refusal(greeting + Command.ping(timeToLive: 1, context: []).frame) == .unexpected("PING"))
        #expect(refusal(greeting + [0, 1, 7]) == .unexpected("a message"))
        #expect(refusal(greeting + [4, 2, 5, 82]) == .malformedCommand("without a name"))
        #expect(refusal(greeting + [4, 9, 5] + Array("READY".utf8) + [1, 65, 0]) == .malformedCommand("READY"))
        let tooLong: [UInt8] = [6, 0, 0, 0, 0, 0, 1, 0, 0]
        #expect(refusal(greeting + tooLong) == .oversized(length: 65_536, limit: 1024))
        #expect(refusal(Array(greeting.prefix(63))) == nil)
    }

    @Test(arguments: 0..<20) func `damaged handshakes are refused or waited for`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let whole = greeting + ready("DEALER", identity: id)
        for _ in 0..<1000 {
            var bytes = whole
            for _ in 0...Int.random(in: 0..<4, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                bytes[place] = UInt8.random(in: 0...255, using: &random)
            }
            bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
            var handshake = Handshake(.router)
            if let step = try? handshake.receive(bytes.span) {
                #expect(step.consumed <= bytes.count, "seed \(seed)")
                #expect(step.peer == nil || step.consumed > 64, "seed \(seed)")
            }
        }
    }
}

/// A handshake and what came for it.
private struct Side {
    var handshake: Handshake
    var waiting: [UInt8] = []
    var peer: Handshake.Peer?

    init(_ role: Handshake.Role) { handshake = Handshake(role) }

    mutating func take(_ bytes: inout [UInt8], _ count: Int) throws(ZMTPError) -> [UInt8] {
        waiting += bytes.prefix(count)
        bytes.removeFirst(min(count, bytes.count))
        guard peer == nil else { return [] }
        let bytes = waiting
        let step = try handshake.receive(bytes.span)
        waiting.removeFirst(step.consumed)
        peer = step.peer
        return step.reply
    }
}
