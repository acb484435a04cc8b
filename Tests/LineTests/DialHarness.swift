import Line
import Wire

/// A dialling side with hand-made stations above: numbers their frames and collects the actions.
struct DialHarness {
    var dial: DialSide
    var now: UInt64 = 1_000_000_000
    private var sequences: [UInt32: UInt64] = [:]

    static let epoch: UInt64 = 0xbe10

    init(slots: UInt32 = 4, settings: LineSettings = LineSettings()) {
        dial = DialSide(
            role: .inferenceWorker, epoch: Self.epoch, name: "below", model: "m", contextLength: 64, slots: slots,
            settings: settings)
    }

    mutating func actions() -> [DialSide.Action] {
        var all: [DialSide.Action] = []
        while let action = dial.next() { all.append(action) }
        return all
    }

    mutating func frames(on link: UInt32) -> [ControlFrame] {
        actions().compactMap {
            guard case .control(link, _, let frame) = $0 else { return nil }
            return frame
        }
    }

    /// Connects a link and answers its hello.
    mutating func join(above: UInt64 = 0xab, window: UInt16 = 4) -> UInt32 {
        let link = dial.addLink()
        dial.connected(link, now: now)
        welcome(link, above: above, window: window)
        return link
    }

    mutating func welcome(_ link: UInt32, above: UInt64 = 0xab, window: UInt16 = 4) {
        for action in actions() {
            guard case .control(link, 0, .hello(let hello)) = action else { continue }
            let session = LinkSession.number(above: above, below: hello.epoch, attempt: hello.attempt)
            sequences[link] = 1
            dial.received(
                .welcome(
                    Welcome(
                        role: .tokenizer, epoch: above, session: session, window: window,
                        heartbeatMilliseconds: 250, timeoutMilliseconds: 1000)),
                on: link, header: FrameHeader(kind: .welcome, session: session, sequence: 1), now: now)
        }
    }

    mutating func header(_ kind: FrameKind, on link: UInt32, sentAt: UInt64 = 0) -> FrameHeader {
        sequences[link, default: 0] += 1
        return FrameHeader(
            kind: kind, session: dial.session(of: link) ?? 0, sequence: sequences[link] ?? 0, sentAt: sentAt)
    }

    mutating func send(_ frame: ControlFrame, on link: UInt32, sentAt: UInt64 = 0) {
        let header = header(frame.kind, on: link, sentAt: sentAt)
        dial.received(frame, on: link, header: header, now: now)
    }

    /// A work from above.
    mutating func give(_ handle: UInt32, on link: UInt32) -> DialSide.Acceptance? {
        let header = header(.generate, on: link)
        guard dial.accepts(header, on: link, now: now) else { return nil }
        return dial.accept(handle, on: link, now: now)
    }

    mutating func take(_ handle: UInt32, on link: UInt32) -> UInt64 {
        guard case .accepted(let work) = give(handle, on: link) else { return .max }
        return work
    }
}
