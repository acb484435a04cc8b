import Line
import Wire

/// A dispatcher with hand-made peers: numbers their frames and collects the actions.
struct DispatcherHarness {
    var dispatcher: Dispatcher
    var now: UInt64 = 1000
    var sessions: [UInt64: UInt32] = [:]
    private var sequences: [UInt64: UInt64] = [:]

    init(settings: LineSettings = LineSettings(), leases: Bool = true, roles: Set<StationRole> = [.inferenceWorker]) {
        dispatcher = Dispatcher(
            role: .tokenizer, epoch: 0xabcd, name: "above", settings: settings, acceptedRoles: roles, leases: leases)
    }

    mutating func actions() -> [Dispatcher.Action] {
        var all: [Dispatcher.Action] = []
        while let action = dispatcher.next() { all.append(action) }
        return all
    }

    /// What goes to this peer, leaving out heartbeats.
    mutating func frames(to peer: UInt64) -> [ControlFrame] {
        actions().compactMap {
            guard case .control(peer, _, let frame) = $0 else { return nil }
            return frame
        }
    }

    /// Says hello and takes the welcome.
    mutating func join(
        _ peer: UInt64, epoch: UInt64? = nil, attempt: UInt32 = 1, model: String = "", credit: UInt64 = 0
    ) {
        hello(Hello(role: .inferenceWorker, epoch: epoch ?? peer, attempt: attempt, slots: 4, model: model), from: peer)
        if credit > 0 { send(.credit(Count(credit)), from: peer) }
        _ = actions()
    }

    mutating func hello(_ hello: Hello, from peer: UInt64) {
        dispatcher.received(.hello(hello), from: peer, header: FrameHeader(kind: .hello, session: 0), now: now)
        sessions[peer] = LinkSession.number(above: 0xabcd, below: hello.epoch, attempt: hello.attempt)
        sequences[peer] = 0
    }

    mutating func header(_ kind: FrameKind, from peer: UInt64, sentAt: UInt64 = 0) -> FrameHeader {
        sequences[peer, default: 0] += 1
        return FrameHeader(
            kind: kind, session: sessions[peer] ?? 0, sequence: sequences[peer] ?? 0, sentAt: sentAt)
    }

    mutating func send(_ frame: ControlFrame, from peer: UInt64, sentAt: UInt64 = 0) {
        let header = header(frame.kind, from: peer, sentAt: sentAt)
        dispatcher.received(frame, from: peer, header: header, now: now)
    }

    func reference(_ peer: UInt64) -> SessionRef? { dispatcher.info(of: peer)?.session }
}

extension Dispatcher.Action {
    var dispatched: (work: UInt64, peer: UInt64, handle: UInt32)? {
        guard case .dispatch(let work, let session, let handle) = self else { return nil }
        return (work, session.peer, handle)
    }
}
