/// What a frame says. The raw value is byte 3 of the header; see `docs/wire-format.md`.
public enum FrameKind: UInt8, Sendable, CaseIterable {
    /// Station below → above: who I am, which versions I speak, what I can hold.
    case hello = 1
    /// Above → below: the session that now begins.
    case welcome = 2
    /// Either: the session that your frame names is not one of mine, or must end.
    case reset = 3
    /// Above → below, periodic: carries the time for offset estimation.
    case heartbeat = 4
    /// Below → above: the answer, with load and the age of the engine's last step.
    case heartbeatReply = 5
    /// Below → above: cumulative number of requests of this session that I will take.
    case credit = 6
    /// Below → above: give unused credit back.
    case recall = 7
    /// Above → below: the limit that holds from now on.
    case recallAck = 8
    /// Above → below: I have work for you and no credit.
    case demand = 9
    /// Below → above: give me no more work, I am going.
    case goodbye = 10
    /// Above → below: nothing sent after this.
    case goodbyeAck = 11
    /// Above → below: cumulative number of trays that I took. From version 2 on a client says it too, of `output`.
    case trayAck = 12
    /// Above → below: end this request.
    case cancel = 13
    /// Above → below: a health probe that passes down the line.
    case probe = 14
    /// Below → above: the probe came back.
    case probeReply = 15

    /// Client → ingest.
    case submit = 32
    /// Ingest → client: a tray of text rows.
    case output = 33
    /// Ingest → tokenizer.
    case encode = 34
    /// Tokenizer → ingest: a tray of text rows.
    case textBatch = 35
    /// Tokenizer → inference worker.
    case generate = 36
    /// Inference worker → tokenizer: a tray of token rows, one step of the engine.
    case tokenBatch = 37
    /// Ingest → tokenizer: which tokens does this have, or which text?
    case tokenize = 38
    /// Tokenizer → ingest: these, or this.
    case tokenized = 39

    /// Producer → accounting: ledger events.
    case record = 48
    /// Accounting → producer: events up to here are on disk.
    case recordAck = 49
    /// Ingest → accounting: whose request is this idempotency key?
    case claim = 50
    /// Accounting → ingest: whose it is.
    case claimAnswer = 51
}
