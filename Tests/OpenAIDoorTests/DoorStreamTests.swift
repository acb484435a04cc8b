import Synchronization
import Testing

@testable import OpenAIDoor

@Suite struct DoorStreamTests {
    let end = DoorEnd.finished(
        DoorFinish(reason: .stop, usage: DoorUsage(promptTokens: 1, completionTokens: 2)))

    /// Counts what an observer is told.
    final class Told: Sendable {
        let news = Atomic(0)
        let cancels = Atomic(0)

        func stream(number: UInt64 = 1) -> DoorStream {
            DoorStream(
                number: number,
                observer: DoorStream.Observer(
                    onNews: { _ in self.news.wrappingAdd(1, ordering: .relaxed) },
                    onCancel: { stream in
                        #expect(stream.number == number)
                        self.cancels.wrappingAdd(1, ordering: .relaxed)
                    }))
        }

        var counts: [Int] { [news.load(ordering: .relaxed), cancels.load(ordering: .relaxed)] }
    }

    func bytes(_ text: String) -> ArraySlice<UInt8> { ArraySlice(text.utf8) }

    @Test func whatHasGatheredComesAtOnce() {
        let told = Told()
        let stream = told.stream()
        stream.push(bytes("ab"), tokenCount: 1)
        stream.push(bytes("cd"), tokenCount: 2)
        #expect(told.counts == [1, 0])
        #expect(stream.waitingBytes == 4)
        var batch = DoorStream.Batch()
        #expect(stream.take(&batch) == .batch(hasMore: false))
        #expect(batch.text == Array("abcd".utf8))
        #expect(batch.tokens == 3)
        #expect(batch.end == nil)
        #expect(stream.waitingBytes == 0)
        stream.finish(end, text: bytes("e"), tokenCount: 1)
        #expect(told.counts == [2, 0])
        #expect(stream.take(&batch) == .batch(hasMore: false))
        #expect(batch.text == Array("e".utf8))
        #expect(batch.tokens == 1)
        #expect(batch.end == end)
        #expect(stream.take(&batch) == .nothing)
    }

    @Test func emptyTextCountsItsTokensAndTellsNobody() {
        let told = Told()
        let stream = told.stream()
        stream.push([], tokenCount: 1)
        #expect(told.counts == [0, 0])
        var batch = DoorStream.Batch()
        #expect(stream.take(&batch) == .nothing)
        stream.push(bytes("x"), tokenCount: 1)
        #expect(told.counts == [1, 0])
        #expect(stream.take(&batch) == .batch(hasMore: false))
        #expect(batch.tokens == 2)
    }

    @Test func muchTextComesInPiecesThatTheirTokensGoWith() {
        let stream = Told().stream()
        let piece = ArraySlice([UInt8](repeating: 0x61, count: DoorStream.batchBytes / 2))
        for _ in 0..<5 { stream.push(piece, tokenCount: 1) }
        stream.finish(end)
        var batch = DoorStream.Batch()
        var found: [[Int]] = []
        while stream.take(&batch) != .nothing { found.append([batch.text.count / piece.count, batch.tokens]) }
        #expect(found == [[2, 2], [2, 2], [1, 1]])
        #expect(stream.waitingBytes == 0)
    }

    @Test func aClientIsBehindWhileAWriteWaitsOrMuchText() {
        let stream = Told().stream()
        #expect(!stream.isBehind)
        #expect(!stream.setBlocked(true))
        #expect(stream.isBehind)
        #expect(stream.setBlocked(false))
        #expect(!stream.isBehind)
        stream.push(ArraySlice([UInt8](repeating: 0x61, count: DoorStream.promptBytes)), tokenCount: 1)
        #expect(!stream.isBehind)
        stream.push(bytes("b"), tokenCount: 1)
        #expect(stream.isBehind)
    }

    @Test func anAwaitedEndComesWithTheLastText() {
        let told = Told()
        let stream = told.stream()
        #expect(stream.pushAwaited([], tokenCount: 0))
        #expect(told.counts == [1, 0])
        var batch = DoorStream.Batch()
        #expect(stream.take(&batch) == .batch(hasMore: false))
        #expect(batch.isAwaited && batch.text.isEmpty && batch.end == nil)
        #expect(stream.finish(end))
        #expect(stream.take(&batch) == .batch(hasMore: false))
        #expect(!batch.isAwaited && batch.end == end)
    }

    @Test func nothingIsTakenAfterTheEnd() {
        let told = Told()
        let stream = told.stream()
        #expect(stream.push(bytes("x"), tokenCount: 1))
        #expect(stream.finish(end))
        #expect(!stream.push(bytes("y"), tokenCount: 1))
        #expect(!stream.finish(end))
        #expect(!stream.pushAwaited([], tokenCount: 0))
        stream.cancel()
        #expect(told.counts == [1, 0])
    }

    @Test func cancellingTellsOnceAndDropsWhatWaits() {
        let told = Told()
        let stream = told.stream(number: 7)
        stream.push(bytes("x"), tokenCount: 1)
        stream.cancel()
        stream.cancel()
        #expect(told.counts == [1, 1])
        #expect(stream.isCancelled)
        var batch = DoorStream.Batch()
        #expect(stream.take(&batch) == .nothing)
        #expect(stream.waitingBytes == 0)
        #expect(!stream.push(bytes("x"), tokenCount: 1))
        #expect(!stream.finish(end))
    }

    @Test func whatIsGivenUpIsNotCancelledToo() {
        let told = Told()
        let stream = told.stream()
        stream.push(bytes("x"), tokenCount: 1)
        stream.abandon()
        stream.abandon()
        #expect(told.counts == [2, 0])
        #expect(stream.isAbandoned)
        var batch = DoorStream.Batch()
        #expect(stream.take(&batch) == .nothing)
        #expect(!stream.finish(end))
        stream.cancel()
        #expect(told.counts == [2, 0])
    }

    @Test func aHundredStreamsLoseNothing() async {
        await withTaskGroup(of: Int.self) { group in
            for number in 0..<100 {
                group.addTask {
                    let (news, told) = AsyncStream<Void>.makeStream()
                    let stream = DoorStream(
                        number: UInt64(number),
                        observer: DoorStream.Observer(onNews: { _ in told.yield() }, onCancel: { _ in }))
                    async let produced: Void = {
                        for _ in 0..<200 { stream.push([0x61, 0x62], tokenCount: 1) }
                        stream.finish(.failed(DoorFailure(.unavailable, "")))
                    }()
                    var batch = DoorStream.Batch()
                    var bytes = 0
                    for await _ in news {
                        guard stream.take(&batch) != .nothing else { continue }
                        bytes += batch.text.count
                        if batch.end != nil { break }
                    }
                    await produced
                    return bytes
                }
            }
            for await bytes in group { #expect(bytes == 400) }
        }
    }
}
