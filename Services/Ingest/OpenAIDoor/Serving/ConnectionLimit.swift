import NIOCore

/// Holds back the accepting of connections while as many as are allowed are open.
final class ConnectionLimit: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel
    typealias OutboundIn = Never

    private let maximum: Int
    private var open = 0
    private var isHolding = false

    init(_ maximum: Int) { self.maximum = maximum }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let channel = unwrapInboundIn(data)
        open += 1
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        channel.closeFuture.hop(to: context.eventLoop).whenComplete { _ in
            let (limit, context) = bound.value
            limit.closed(context)
        }
        context.fireChannelRead(data)
    }

    func read(context: ChannelHandlerContext) {
        isHolding = open >= maximum
        if !isHolding { context.read() }
    }

    private func closed(_ context: ChannelHandlerContext) {
        open -= 1
        guard isHolding, open < maximum else { return }
        isHolding = false
        context.read()
    }
}
