import HTTPTypes
import NIOCore
import NIOHTTPTypes
import Synchronization

/// Notices on a connection's event loop that its client has left, whatever the connection's task is waiting for.
///
/// A client that closes its side of the connection has left: OpenAI's clients, and browsers, read no answer after that.
final class ConnectionWatch: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundOut = HTTPResponsePart

    private struct State {
        var hasLeft = false
        var stream: DoorStream?
    }

    private let state = Mutex(State())

    /// Cancels `stream` when the client leaves. False: it has left already, and nothing is watched.
    func watch(_ stream: DoorStream) -> Bool {
        state.withLock { state in
            guard !state.hasLeft else { return false }
            state.stream = stream
            return true
        }
    }

    /// The request is done; the connection stays for the next one.
    func unwatch() {
        state.withLock { $0.stream = nil }
    }

    private func clientHasLeft() {
        let stream = state.withLock { state in
            state.hasLeft = true
            defer { state.stream = nil }
            return state.stream
        }
        stream?.cancel()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // A client that asks before it sends a large body waits for this answer, some for a second.
        if case .head(let head) = unwrapInboundIn(data), head.headerFields[.expect]?.lowercased() == "100-continue" {
            context.writeAndFlush(wrapOutboundOut(.head(.init(status: .continue))), promise: nil)
        }
        context.fireChannelRead(data)
    }

    func channelInactive(context: ChannelHandlerContext) {
        clientHasLeft()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent { clientHasLeft() }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        clientHasLeft()
        context.fireErrorCaught(error)
    }
}
