import Synchronization
import Testing
import Wire

@testable import LoadGenerator

struct RequestSlotsTests {
    private var slots = RequestSlots()
    private var events = RequestSlots.Events()

    private func request(_ index: Int, cancelAfter: Int? = nil, keepsText: Bool = false) -> LoadRequest {
        LoadRequest(
            index: index, id: RequestID(high: 1, low: UInt64(index)), model: "m", prompt: .tokens([1]),
            maximumTokens: 9, ignoresEndOfSequence: false, wantsHops: false, keepsText: keepsText, seed: 1,
            cancelAfter: cancelAfter, intendedAt: 5)
    }

    private mutating func insert(_ request: LoadRequest) -> UInt32? { slots.insert(request, sentAt: 10) { _ in } }

    private mutating func add(_ request: LoadRequest) throws -> UInt32 {
        let handle = insert(request)
        return try #require(handle)
    }

    private mutating func take(_ index: Int) throws -> LoadOutcome {
        let taken = slots.remove(index)
        return try #require(taken).outcome
    }

    private func batch(_ rows: [TextRow], _ text: String = "") -> TextBatch {
        TextBatch(rows: rows, tokens: [], text: Array(text.utf8))
    }

    @Test mutating func rowsFindTheirRequests() throws {
        let first = try add(request(0))
        let second = try add(request(1, keepsText: true))
        slots.take(
            batch(
                [
                    TextRow(handle: first, tokenCount: 3, position: 0, textLength: 2, promptTokens: 7, cachedTokens: 4),
                    TextRow(handle: second, tokenCount: 1, position: 0, textLength: 3),
                ], "aabbb"), at: 100, into: &events)
        slots.take(
            batch(
                [
                    TextRow(handle: second, tokenCount: 2, finish: .stop, position: 1, textLength: 1),
                    TextRow(handle: first, tokenCount: 0, finish: .length, position: 3, textLength: 0),
                ], "c"), at: 2_000_100, into: &events)
        #expect(events.ended == [1, 0] && events.cancels.isEmpty)
        let one = try take(0)
        #expect(one.tokens == 3 && one.promptTokens == 7 && one.cachedTokens == 4 && one.finish == "length")
        #expect(one.firstAt == 100 && one.lastAt == 100 && one.endedAt == 2_000_100 && one.gaps.isEmpty)
        #expect(one.intendedAt == 5 && one.sentAt == 10 && one.text.isEmpty && one.fate == .complete)
        let two = try take(1)
        #expect(two.text == "bbbc" && two.tokens == 3 && two.gaps == [2] && two.mismatch == nil)
        let again = slots.remove(1)
        #expect(slots.count == 0 && again?.outcome == nil)
    }

    @Test mutating func handlesAreNotUsedTwiceAndLateRowsFindNothing() throws {
        var handles: Set<UInt32> = []
        for index in 0..<70_000 {
            let handle = try add(request(index))
            #expect(handles.insert(handle).inserted)
            _ = slots.remove(Int(handle & 0xffff))
        }
        // A slot's generations ran out, so that another was begun.
        #expect(slots.slots.count == 2)
        let late = handles.min() ?? 0
        let now = try add(request(1))
        slots.take(
            batch([
                TextRow(handle: late, tokenCount: 1, finish: .stop, position: 0, textLength: 0),
                TextRow(handle: 40_000, tokenCount: 1, finish: .stop, position: 0, textLength: 0),
            ]), at: 50, into: &events)
        #expect(events.ended.isEmpty && slots.slots[Int(now & 0xffff)].outcome.tokens == 0)
    }

    @Test mutating func aConnectionHasSoManySlots() throws {
        for index in 0..<RequestSlots.limit { _ = try add(request(index)) }
        let more = insert(request(0))
        #expect(more == nil)
        #expect(slots.taken.count == RequestSlots.limit)
    }

    @Test mutating func cancelsOnceItsTokensAreThere() throws {
        let handle = try add(request(0, cancelAfter: 3))
        func row(_ position: UInt32, _ finish: FinishReason = .none) -> TextRow {
            TextRow(handle: handle, tokenCount: 2, finish: finish, position: position, textLength: 0)
        }
        slots.take(batch([row(0)]), at: 20, into: &events)
        #expect(events.cancels.isEmpty)
        slots.take(batch([row(2), row(4)]), at: 30, into: &events)
        #expect(events.cancels == [handle])
        slots.take(batch([row(6, .cancelled)]), at: 40, into: &events)
        let outcome = try take(events.ended[0])
        #expect(outcome.fate == .cancelled && outcome.finish == "cancelled" && outcome.error == nil)
    }

    @Test mutating func anAnswerThatEndsFirstIsNotCancelled() throws {
        let handle = try add(request(0, cancelAfter: 2))
        slots.take(
            batch([TextRow(handle: handle, tokenCount: 2, finish: .stop, position: 0, textLength: 0)]), at: 20,
            into: &events)
        #expect(events.cancels.isEmpty && slots.slots[0].outcome.fate == .complete)
    }

    @Test mutating func refusalsFailuresAndForeignCancelsAreToldApart() throws {
        for _ in 0..<3 { _ = insert(request(0)) }
        let handles = slots.slots.map(\.handle)
        slots.take(
            batch(
                [
                    TextRow(
                        handle: handles[0], tokenCount: 0, finish: .failed, status: .busy, position: 0, textLength: 4),
                    TextRow(
                        handle: handles[1], tokenCount: 0, finish: .failed, status: .engineFailed, position: 0,
                        textLength: 0),
                    TextRow(handle: handles[2], tokenCount: 0, finish: .cancelled, position: 0, textLength: 0),
                ], "full"), at: 20, into: &events)
        let outcomes = events.ended.compactMap { slots.remove($0)?.outcome }
        #expect(outcomes.map(\.fate) == [.refused, .failed, .failed])
        #expect(outcomes[0].error == "full" && outcomes[1].error?.contains("engineFailed") == true)
    }

    @Test mutating func aRowInTheWrongPlaceIsAMismatch() throws {
        let handle = try add(request(0))
        slots.take(
            batch([
                TextRow(handle: handle, tokenCount: 2, position: 0, textLength: 0),
                TextRow(handle: handle, tokenCount: 2, finish: .stop, position: 3, textLength: 0),
            ]), at: 20, into: &events)
        let outcome = try take(0)
        #expect(outcome.mismatch != nil)
        var log = RequestLog()
        log.add(outcome)
        let report = LoadReport(settings: .init(), model: "m", log: log, startedAt: 0)
        #expect(report.mismatches.count == 1 && report.missing == 0 && !report.isFlawless)
    }

    @Test mutating func silenceIsNoticed() {
        _ = insert(request(0))
        #expect(slots.silent(100, now: 110).isEmpty)
        #expect(slots.silent(100, now: 111) == [0])
    }
}
