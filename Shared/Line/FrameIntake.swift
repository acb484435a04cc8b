public import Wire

/// What a link made of a frame before its owner sees it.
public enum FrameIntake<Session: Sendable>: Sendable {
    /// It was the line's own, or is to be dropped.
    case handled
    /// It carries work, of this session: the owner decodes it, and calls `malformed` if it is not well formed.
    case work(FrameHeader, Session)
    /// It was not well formed; its sender's session has ended.
    case malformed
}

extension DialSide {
    /// Takes a frame of a station above.
    public mutating func take(_ frame: Span<UInt8>, on link: UInt32, now: LinkTime) -> FrameIntake<UInt32> {
        do throws(WireError) {
            let header = try FrameHeader.decode(frame)
            if let control = try ControlFrame.decode(frame, header: header) {
                received(control, on: link, header: header, now: now)
                return .handled
            }
            return accepts(header, on: link, now: now) ? .work(header, header.session) : .handled
        } catch {
            malformed(on: link)
            return .malformed
        }
    }

    /// A frame did not decode: its session ends.
    public mutating func malformed(on link: UInt32) {
        counters.badFrames += 1
        violated(on: link)
    }
}

extension Dispatcher {
    /// Takes a frame from below. A cancel is a client's work.
    /// - Parameter refusal: Why a hello is not let in, whatever it says; nil lets the dispatcher decide.
    public mutating func take(
        _ frame: Span<UInt8>, from peer: UInt64, now: LinkTime, refusal: (Hello) -> Status? = { _ in nil }
    ) -> FrameIntake<SessionRef> {
        do throws(WireError) {
            let header = try FrameHeader.decode(frame)
            if header.kind != .cancel, let control = try ControlFrame.decode(frame, header: header) {
                if case .hello(let hello) = control, let status = refusal(hello) {
                    refuse(peer, status)
                } else {
                    received(control, from: peer, header: header, now: now)
                }
                return .handled
            }
            return accepts(header, from: peer, now: now).map { .work(header, $0) } ?? .handled
        } catch {
            malformed(by: peer)
            return .malformed
        }
    }

    /// A frame did not decode: its session ends.
    public mutating func malformed(by peer: UInt64) {
        counters.badFrames += 1
        violated(by: peer)
    }
}
