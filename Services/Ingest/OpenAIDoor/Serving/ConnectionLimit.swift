import NIOCore
import Telemetry

/// Holds back the accepting of connections while as many as are allowed are open, and ends those of an address that has
/// too many.
final class ConnectionLimit: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel
    typealias OutboundIn = Never

    private let server: DoorServer
    private var open = 0
    private var openByAddress: [String: Int] = [:]
    private var isHolding = false

    init(_ server: DoorServer) { self.server = server }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        server.onRoom = {
            let (limit, context) = bound.value
            limit.resume(context)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        isHolding = false
        server.onRoom = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let channel = unwrapInboundIn(data)
        let address = channel.remoteAddress?.ipAddress ?? ""
        let isOwn = address == "::1" || address.hasPrefix("127.") || address.isEmpty
        guard isOwn || openByAddress[address, default: 0] < server.configuration.connectionsPerAddress else {
            server.metrics.turnedAway.increment()
            channel.close(promise: nil)
            return
        }
        open += 1
        openByAddress[address, default: 0] += 1
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        channel.closeFuture.hop(to: context.eventLoop).whenComplete { _ in
            let (limit, context) = bound.value
            limit.closed(address, context)
        }
        context.fireChannelRead(data)
    }

    func read(context: ChannelHandlerContext) {
        isHolding = !server.makeRoom(open: open)
        if !isHolding { context.read() }
    }

    private func closed(_ address: String, _ context: ChannelHandlerContext) {
        open -= 1
        openByAddress[address, default: 1] -= 1
        if openByAddress[address] == 0 { openByAddress[address] = nil }
        resume(context)
    }

    private func resume(_ context: ChannelHandlerContext) {
        guard isHolding, server.makeRoom(open: open) else { return }
        isHolding = false
        context.read()
    }
}
