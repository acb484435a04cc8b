import NIOCore
import NIOHTTP1

/// One request of a connection, from its head until its answer is written.
final class Exchange {
    /// Bytes of a body that are read and dropped so that a client which sends too much gets to read the answer; beyond
    /// that the connection is closed.
    static let patience = 64 << 20

    let plan: RequestGate.Plan
    let route: Route
    let id: DoorRequestID
    let clientChoseID: Bool
    let wantsHops: Bool
    /// The client wants no body in the answer.
    let isHead: Bool
    /// The client knows no chunks.
    let isOld: Bool
    /// Whether the body says how long it is.
    let hasLength: Bool
    /// Whether what is left of the body is too much to read and drop.
    var isEndless: Bool
    /// The connection ends with the answer.
    var closes: Bool

    var body: ByteBuffer?
    private(set) var bodyBytes = 0

    // The answer.
    var startedAt = NIODeadline.uptimeNanoseconds(0)
    var stream: DoorStream?
    var writer: AnswerWriter?
    /// Whether the client reads events as they come.
    var streams = false
    /// Whether text or an end has come.
    var hasBegun = false
    var hasHead = false
    /// A write waits for the socket.
    var isWriting = false
    /// Of an answer in one piece.
    var text: [UInt8] = []
    var tokens = 0

    init(
        _ head: HTTPRequestHead, plan: RequestGate.Plan, route: Route, id: DoorRequestID, clientChoseID: Bool
    ) {
        self.plan = plan
        self.route = route
        self.id = id
        self.clientChoseID = clientChoseID
        wantsHops = head.headers.first(name: "x-hops") == "1"
        isHead = head.method == .HEAD
        isOld = head.version != .http1_1
        closes = isOld || !head.isKeepAlive
        if let field = head.headers.first(name: "content-length") {
            hasLength = true
            isEndless = Int(field).map { $0 > Self.patience } ?? true
        } else {
            hasLength = false
            isEndless = head.headers.contains(name: "transfer-encoding")
        }
    }

    /// Whether it asks for a completion.
    var isCompletion: Bool {
        if case .complete = plan { true } else { false }
    }

    /// Takes a part of the body, which is kept if it is wanted and no larger than `limit`; false when it is too much to
    /// go on.
    func add(_ part: ByteBuffer, limit: Int) -> Bool {
        bodyBytes += part.readableBytes
        guard isCompletion, bodyBytes <= limit else {
            body = nil
            return bodyBytes <= Self.patience
        }
        if body == nil { body = part } else { body?.writeImmutableBuffer(part) }
        return true
    }
}
