import Synchronization
import Testing

@testable import OpenAIDoor

@Suite struct DoorStreamTests {
    let end = DoorEnd.finished(
        DoorFinish(reason: .stop, usage: DoorUsage(promptTokens: 1, completionTokens: 2)))

    func bytes(_ text: String) -> ArraySlice<UInt8> { ArraySlice(text.utf8) }

    @Test func whatHasGatheredComesAtOnce() async {
        let stream = DoorStream(number: 1) { _ in }
        stream.push(bytes("ab"), tokenCount: 1)
        stream.push(bytes("cd"), tokenCount: 2)
        #expect(stream.waitingBytes == 4)
        let batch = await stream.next()
        #expect(batch.text == Array("abcd".utf8))
        #expect(batch.tokens == 3)
        #expect(batch.end == nil)
        #expect(stream.waitingBytes == 0)
        stream.finish(end, text: bytes("e"), tokenCount: 1)
        let last = await stream.next(reusing: batch)
        #expect(last.text == Array("e".utf8))
        #expect(last.tokens == 1)
        #expect(last.end == end)
    }

    @Test func emptyTextCountsItsTokensWithoutWakingAnybody() async {
        let stream = DoorStream(number: 1) { _ in }
        async let batch = stream.next()
        stream.push([], tokenCount: 1)
        stream.push(bytes("x"), tokenCount: 1)
        let tokens = await batch.tokens
        #expect(tokens == 2)
    }

    @Test func nothingIsTakenAfterTheEnd() async {
        let stream = DoorStream(number: 1) { _ in Issue.record("cancelled") }
        #expect(stream.push(bytes("x"), tokenCount: 1))
        #expect(stream.finish(end))
        #expect(!stream.push(bytes("y"), tokenCount: 1))
        #expect(!stream.finish(end))
        stream.cancel()
    }

    @Test func cancellingTellsTheBackendOnceAndWakesTheReader() async {
        let calls = Atomic(0)
        let stream = DoorStream(number: 7) { stream in
            #expect(stream.number == 7)
            calls.wrappingAdd(1, ordering: .relaxed)
        }
        async let batch = stream.next()
        stream.cancel()
        stream.cancel()
        let isCancelled = await batch.isCancelled
        #expect(isCancelled)
        #expect(stream.isCancelled)
        #expect(calls.load(ordering: .relaxed) == 1)
        #expect(!stream.push(bytes("x"), tokenCount: 1))
        #expect(!stream.finish(end))
    }

    @Test func aThousandStreamsLoseNothing() async {
        await withTaskGroup(of: Int.self) { group in
            for number in 0..<100 {
                group.addTask {
                    let stream = DoorStream(number: UInt64(number)) { _ in }
                    async let produced: Void = {
                        for _ in 0..<200 { stream.push([0x61, 0x62], tokenCount: 1) }
                        stream.finish(.failed(DoorFailure(.unavailable, "")))
                    }()
                    var batch = DoorStream.Batch()
                    var bytes = 0
                    repeat {
                        batch = await stream.next(reusing: batch)
                        bytes += batch.text.count
                    } while batch.end == nil
                    await produced
                    return bytes
                }
            }
            for await bytes in group { #expect(bytes == 400) }
        }
    }
}
