import NIOCore

/// Tells a connection of bytes before they are a request: a head that comes byte by byte is held to its time.
final class ArrivalWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let connection: DoorConnection

    init(_ connection: DoorConnection) { self.connection = connection }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        connection.noteArrival()
        context.fireChannelRead(data)
    }
}
