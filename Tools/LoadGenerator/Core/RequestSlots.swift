import Telemetry
import Wire

/// The requests under way on one connection, in dense slots. A handle is a slot's index below and its generation above,
/// so that a row finds its request by an array access, and no handle is used twice in a session.
struct RequestSlots {
    struct Slot {
        var handle: UInt32
        var isTaken = false
        var keepsText = false
        var isCancelSent = false
        /// Tokens after which to cancel.
        var cancelAfter = Int.max
        var heardAt: UInt64 = 0
        var outcome: LoadOutcome
        var ended: LoadEnded?
    }

    /// What a batch of rows leaves to be done.
    struct Events {
        /// Slots whose requests ended.
        var ended: [Int] = []
        /// Handles of requests to cancel.
        var cancels: [UInt32] = []
    }

    /// Most slots: handles have 16 bits for the index.
    static let limit = 1 << 16

    private(set) var slots: [Slot] = []
    private var free: [Int] = []
    /// Memory of gaps, to be used again.
    private var spare: [[Float]] = []
    /// Requests under way.
    private(set) var count = 0

    private static let none = LoadOutcome(index: 0, id: .none)

    /// Gives a handle; nil when all are in use or used up.
    mutating func insert(_ request: LoadRequest, sentAt: UInt64, ended: @escaping LoadEnded) -> UInt32? {
        let index: Int
        if let last = free.popLast() {
            index = last
        } else {
            guard slots.count < Self.limit else { return nil }
            index = slots.count
            slots.append(Slot(handle: UInt32(index), outcome: Self.none))
        }
        count += 1
        slots[index].isTaken = true
        slots[index].isCancelSent = false
        slots[index].keepsText = request.keepsText
        slots[index].cancelAfter = request.cancelAfter ?? .max
        slots[index].heardAt = sentAt
        slots[index].outcome = LoadOutcome(request)
        slots[index].outcome.sentAt = sentAt
        if let gaps = spare.popLast() { slots[index].outcome.gaps = gaps }
        slots[index].ended = ended
        return slots[index].handle
    }

    /// Takes the rows of a batch, at this time.
    mutating func take(_ batch: borrowing TextBatch, at now: UInt64, into events: inout Events) {
        var cursor = HopCursor()
        var text = 0
        let rows = batch.rows.span
        var slots = slots.mutableSpan
        for position in rows.indices {
            let row = rows[position]
            let begin = text
            text += Int(row.textLength)
            let index = Int(row.handle & 0xffff)
            guard index < slots.count, slots[index].handle == row.handle, slots[index].isTaken else { continue }
            slots[index].heardAt = now
            if row.tokenCount > 0, row.finish != .failed {
                slots[index].outcome.delivered(row, at: now)
                if slots[index].outcome.tokens >= slots[index].cancelAfter, !slots[index].isCancelSent,
                    row.finish == .none
                {
                    slots[index].isCancelSent = true
                    slots[index].outcome.isCancelled = true
                    events.cancels.append(row.handle)
                }
            }
            if row.promptTokens > 0 {
                slots[index].outcome.promptTokens = Int(row.promptTokens)
                slots[index].outcome.cachedTokens = Int(row.cachedTokens)
            }
            if slots[index].keepsText, row.finish != .failed, text > begin {
                slots[index].outcome.text += String(decoding: batch.text[begin..<text], as: UTF8.self)
            }
            guard row.finish != .none else { continue }
            slots[index].outcome.end(row, text: batch.text[begin..<text], at: now)
            if !batch.hops.isEmpty {
                slots[index].outcome.hops = Array(cursor.records(of: row.handle, in: batch.hops))
            }
            events.ended.append(index)
        }
    }

    /// Takes a request out; its slot goes to the next one.
    mutating func remove(_ index: Int) -> (outcome: LoadOutcome, ended: LoadEnded)? {
        guard slots[index].isTaken, let ended = slots[index].ended.take() else { return nil }
        var outcome = Self.none
        swap(&outcome, &slots[index].outcome)
        slots[index].isTaken = false
        count -= 1
        // A slot whose generations are used up stays empty.
        let (handle, isOver) = slots[index].handle.addingReportingOverflow(UInt32(Self.limit))
        if !isOver {
            slots[index].handle = handle
            free.append(index)
        }
        return (outcome, ended)
    }

    /// Takes memory that nobody needs any more.
    mutating func recycle(_ gaps: inout [Float]) {
        guard spare.count < count + 64 else { return }
        var taken: [Float] = []
        swap(&taken, &gaps)
        taken.removeAll(keepingCapacity: true)
        spare.append(taken)
    }

    /// Slots of requests that have been silent for longer than this.
    func silent(_ patience: UInt64, now: UInt64) -> [Int] {
        slots.indices.filter { slots[$0].isTaken && now > slots[$0].heardAt &+ patience }
    }

    /// Slots of all requests.
    var taken: [Int] { slots.indices.filter { slots[$0].isTaken } }
}

extension LoadOutcome {
    fileprivate mutating func delivered(_ row: TextRow, at now: UInt64) {
        delivered(at: now)
        if Int(row.position) != tokens, mismatch == nil {
            mismatch = "a row stands at \(row.position), after \(tokens) tokens"
        }
        tokens += Int(row.tokenCount)
    }

    fileprivate mutating func end(_ row: TextRow, text: ArraySlice<UInt8>, at now: UInt64) {
        endedAt = now
        switch row.finish {
        case .stop: finish = "stop"
        case .length: finish = "length"
        case .cancelled where isCancelled: finish = "cancelled"
        default:
            isBusy = row.status == .busy
            error = text.isEmpty ? "\(row.finish) (\(row.status))" : String(decoding: text, as: UTF8.self)
        }
    }
}
