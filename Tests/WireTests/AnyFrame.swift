import Wire

/// A message of any kind with what its header adds to it.
enum AnyFrame: Equatable {
    case hello(Hello)
    case welcome(Welcome)
    case reset(Reset)
    case heartbeat(Heartbeat)
    case heartbeatReply(HeartbeatReply)
    case count(FrameKind, Count)
    case empty(FrameKind)
    case cancel(Cancel)
    case submit(Submit)
    case text(FrameKind, TextBatch)
    case encode(Encode)
    case generate(Generate)
    case tokens(TokenBatch)
    case record(RecordBatch)
    case tokenize(Tokenize)
    case tokenized(Tokenized)
    case claim(Claim)
    case claimAnswer(ClaimAnswer)

    init(decoding frame: Span<UInt8>) throws(WireError) {
        try self.init(decoding: frame, header: try FrameHeader.decode(frame))
    }

    init(decoding frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        switch header.kind {
        case .hello: self = .hello(try Hello(decoding: frame, header: header))
        case .welcome: self = .welcome(try Welcome(decoding: frame, header: header))
        case .reset: self = .reset(try Reset(decoding: frame, header: header))
        case .heartbeat: self = .heartbeat(try Heartbeat(decoding: frame, header: header))
        case .heartbeatReply: self = .heartbeatReply(try HeartbeatReply(decoding: frame, header: header))
        case .credit, .recall, .recallAck, .demand, .trayAck, .probe, .probeReply, .recordAck:
            self = .count(header.kind, try Count(decoding: frame, header: header))
        case .goodbye, .goodbyeAck: self = .empty(header.kind)
        case .cancel: self = .cancel(try Cancel(decoding: frame, header: header))
        case .submit: self = .submit(try Submit(decoding: frame, header: header))
        case .output, .textBatch: self = .text(header.kind, try TextBatch(decoding: frame, header: header))
        case .encode: self = .encode(try Encode(decoding: frame, header: header))
        case .generate: self = .generate(try Generate(decoding: frame, header: header))
        case .tokenBatch: self = .tokens(try TokenBatch(decoding: frame, header: header))
        case .record: self = .record(try RecordBatch(decoding: frame, header: header))
        case .tokenize: self = .tokenize(try Tokenize(decoding: frame, header: header))
        case .tokenized: self = .tokenized(try Tokenized(decoding: frame, header: header))
        case .claim: self = .claim(try Claim(decoding: frame, header: header))
        case .claimAnswer: self = .claimAnswer(try ClaimAnswer(decoding: frame, header: header))
        }
    }

    /// The version that its header says when it is written in the newest one.
    var headerVersion: UInt8 {
        if case .hello(let hello) = self { return hello.minimumVersion }
        return ProtocolVersion.current
    }

    var kind: FrameKind {
        switch self {
        case .hello: .hello
        case .welcome: .welcome
        case .reset: .reset
        case .heartbeat: .heartbeat
        case .heartbeatReply: .heartbeatReply
        case .count(let kind, _), .empty(let kind), .text(let kind, _): kind
        case .cancel: .cancel
        case .submit: .submit
        case .encode: .encode
        case .generate: .generate
        case .tokens: .tokenBatch
        case .record: .record
        case .tokenize: .tokenize
        case .tokenized: .tokenized
        case .claim: .claim
        case .claimAnswer: .claimAnswer
        }
    }

    func encode(
        into buffer: inout FrameBuffer, session: UInt32, sequence: UInt64, sentAt: UInt64,
        version: UInt8 = ProtocolVersion.current
    ) throws(WireError) {
        // A hello's version is its own.
        defer { if kind != .hello { buffer.stamp(version: version) } }
        switch self {
        case .hello(let value): value.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
        case .welcome(let value): value.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
        case .reset(let value):
            value.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt, version: version)
        case .heartbeat(let value): value.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
        case .heartbeatReply(let value):
            value.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
        case .count(let kind, let value):
            value.encode(kind: kind, into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
        case .empty(let kind):
            FrameHeader(kind: kind, session: session, sequence: sequence, sentAt: sentAt).encode(into: &buffer)
        case .cancel(let value): value.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
        case .submit(let value):
            try value.encode(
                into: &buffer, session: session, sequence: sequence, sentAt: sentAt, version: version)
        case .text(let kind, let value):
            value.encode(
                kind: kind, into: &buffer, session: session, sequence: sequence, sentAt: sentAt, version: version)
        case .encode(let value):
            try value.encode(
                into: &buffer, session: session, sequence: sequence, sentAt: sentAt, version: version)
        case .generate(let value):
            try value.encode(
                into: &buffer, session: session, sequence: sequence, sentAt: sentAt, version: version)
        case .tokens(let value):
            value.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt, version: version)
        case .record(let value):
            value.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt, version: version)
        case .tokenize(let value):
            try value.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
        case .tokenized(let value):
            try value.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
        case .claim(let value): value.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
        case .claimAnswer(let value):
            value.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
        }
    }

    func encoded(
        session: UInt32 = 1, sequence: UInt64 = 2, sentAt: UInt64 = 3, version: UInt8 = ProtocolVersion.current
    ) throws(WireError) -> [UInt8] {
        var buffer = FrameBuffer()
        try encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt, version: version)
        return buffer.bytes
    }

    /// The fewest bytes that this value takes in a frame behind its header, from its variable parts alone.
    var weight: Int {
        func weight(_ strings: [String]) -> Int { strings.reduce(0) { $0 + 4 + $1.utf8.count } }
        func weight(_ body: RequestBody) -> Int {
            weight([body.model]) + weight(body.strings) + weight(body.stops) + 4 * body.tokens.count
        }
        switch self {
        case .hello(let value): return weight([value.model, value.name])
        case .welcome(let value): return weight([value.model, value.name])
        case .submit(let value): return weight([value.key]) + weight(value.body)
        case .encode(let value): return weight([value.tenant]) + weight(value.body) + 4 * value.generated.count
        case .generate(let value): return weight([value.tenant, value.model]) + 4 * value.tokens.count
        case .text(_, let value):
            return 28 * value.rows.count + 4 * value.tokens.count + value.text.count + 32 * value.hops.count
        case .tokens(let value): return 28 * value.rows.count + 4 * value.tokens.count + 32 * value.hops.count
        case .tokenize(let value):
            return weight([value.tenant, value.model]) + weight(value.strings) + 4 * value.tokens.count
        case .tokenized(let value): return 4 * value.tokens.count + 4 * value.ends.count + value.text.count
        case .record(let value):
            return value.events.reduce(0) { $0 + 80 + weight([$1.tenant, $1.model, $1.worker]) }
        default: return 0
        }
    }
}
