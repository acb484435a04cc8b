import Line
import Testing
import Wire

@testable import Station

struct PeerKeysTests {
    private var dispatcher = Dispatcher(
        role: .tokenizer, epoch: 1, name: "t", acceptedRoles: [.inferenceWorker], leases: true)

    private func role(_ user: String) -> String? { user == "worker" ? StationRole.inferenceWorker.folderName : nil }

    private mutating func join(_ peer: UInt64) {
        let hello = Hello(
            role: .inferenceWorker, minimumVersion: ProtocolVersion.minimum, maximumVersion: ProtocolVersion.current,
            epoch: peer, attempt: 1, slots: 1, contextLength: 8, model: "m", name: "w")
        dispatcher.received(.hello(hello), from: peer, header: FrameHeader(kind: .hello), now: 1)
    }

    @Test func aHelloIsHeldAgainstTheRoleOfItsKey() {
        var keys = PeerKeys()
        let claims: [(user: String?, role: StationRole?, isRight: Bool)] = [
            ("worker", .inferenceWorker, true), ("worker", .ingest, false), ("nobody", .inferenceWorker, false),
            (nil, .inferenceWorker, false), ("worker", nil, false),
        ]
        for (peer, claim) in claims.enumerated() {
            let isRight = keys.note(claim.user, of: UInt64(peer), claiming: claim.role, role)
            #expect(isRight == claim.isRight)
        }
        #expect(keys.count == 1)
    }

    /// Each connection has a routing id of its own: a peer that dials again and again must not cost memory each time.
    @Test mutating func connectionsThatEndedLeaveNothing() {
        var keys = PeerKeys()
        for peer in 1...10_000 as ClosedRange<UInt64> {
            _ = keys.note("worker", of: peer, claiming: .inferenceWorker, role)
            join(peer)
            if peer != 7 { dispatcher.sendFailed(to: peer) }
            keys.prune(dispatcher)
        }
        #expect(keys.count < 100)
        keys.endWithdrawn(&dispatcher, role)
        #expect(keys.count == 1)
        #expect(dispatcher.peerCount == 1)
    }

    @Test mutating func aKeyThatIsListedNoMoreEndsItsSession() {
        var keys = PeerKeys()
        _ = keys.note("worker", of: 1, claiming: .inferenceWorker, role)
        join(1)
        #expect(dispatcher.peerCount == 1)
        keys.endWithdrawn(&dispatcher) { _ in nil }
        #expect(dispatcher.peerCount == 0)
        #expect(keys.count == 0)
    }
}
