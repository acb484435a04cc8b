import NIOCore
import NIOHTTP1

/// One request of a connection, from its head until its answer is written.
final class Exchange {
    /// Bytes of a body that are read and dropped so that a client which sends too much gets to read the answer; beyond
    /// that the connection is closed.
    static let patience = 64 << 20

    let plan: RequestGate.Plan
    let route: Route
    /// What the client calls it, as sent.
    let labels: RequestLabels
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
    /// None before they are submitted, and after they were all given up.
    var choices: [Choice] = []
    var ignored: [String] = []
    /// Ids of choices that were given up.
    var operations = ""
    /// What browsers want to read of the answer, in header lines.
    var cors = ""
    var writer: AnswerWriter?
    /// Whether the client reads events as they come.
    var streams = false
    var hasHead = false
    /// A write waits for the socket.
    var isWriting = false
    /// When something was written last, or the answer was begun.
    var wroteAt = NIODeadline.uptimeNanoseconds(0)

    init(
        _ head: HTTPRequestHead, plan: RequestGate.Plan, route: Route, labels: RequestLabels
    ) {
        self.plan = plan
        self.route = route
        self.labels = labels
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

    func choice(of stream: DoorStream) -> Choice? {
        choices.first { $0.stream === stream }
    }

    /// Of a client whose request could not be read.
    static func unreadable() -> Exchange {
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
        let exchange = Exchange(
            head, plan: .refuse(.invalid(nil, "")), route: .unknown, labels: RequestLabels())
        exchange.closes = true
        return exchange
    }

    /// Bytes of the body that are kept.
    var heldBytes: Int { body?.readableBytes ?? 0 }

    /// Header fields of the answer, each a line with its end.
    var fields: String {
        var fields = cors
        let ids = choices.isEmpty ? operations : choices.map(\.id.description).joined(separator: ", ")
        let label = labels.label.isEmpty ? String(ids.prefix(32)) : labels.label
        if !label.isEmpty { fields += "x-request-id: \(label)\r\n" }
        if !ids.isEmpty { fields += "x-operation-id: \(ids)\r\n" }
        if !ignored.isEmpty { fields += "x-ignored-fields: \(Self.shown(ignored))\r\n" }
        return fields
    }

    /// Names from a body as a header field can carry them.
    private static func shown(_ names: [String]) -> String {
        var shown = names.prefix(32).map { name in
            String(
                decoding: name.utf8.prefix(64).map { $0 > 0x20 && $0 < 0x7f && $0 != 0x2c ? $0 : 0x3f }, as: UTF8.self)
        }
        if names.count > 32 { shown.append("...") }
        return shown.joined(separator: ", ")
    }

    /// Whether its body says what it asks for.
    var takesBody: Bool {
        switch plan {
        case .complete, .tokens: true
        case .models, .model, .admin, .preflight, .text, .refuse: false
        }
    }

    /// Takes a part of the body, which is kept if it is wanted and no larger than `limit`; false when it is too much to
    /// go on.
    func add(_ part: ByteBuffer, limit: Int) -> Bool {
        bodyBytes += part.readableBytes
        guard takesBody, bodyBytes <= limit else {
            body = nil
            return bodyBytes <= Self.patience
        }
        if body == nil { body = part } else { body?.writeImmutableBuffer(part) }
        return true
    }
}
