import Batching
import Line
import Testing
import Wire
import WorkerService

struct WorkerTests {
    @Test func aRequestIsAnsweredAndItsAttemptStandsOnDiskBeforeItsLastRow() throws {
        let bench = try WorkerBench()
        bench.submit(1, maximumTokens: 3)
        bench.run()
        let answer = try #require(bench.answers[1])
        #expect(answer.tokens.count == 3)
        #expect(answer.finish == .length)
        let event = try #require(bench.events.first)
        #expect(bench.events.count == 1)
        #expect(event.kind == .attempt && event.producedTokens == 3 && event.promptTokens == 3)
        #expect(event.tenant == "acme" && event.ingestAttempt == 1 && event.tokenizerAttempt == 2)
        let record = try #require(bench.done.firstIndex(of: .record(.attempt)))
        #expect(Array(bench.done[record...].prefix(3)) == [.record(.attempt), .commit, .sent(.tokenBatch)])
    }

    @Test func theSameAnswerComesWhateverStandsBesideIt() throws {
        let alone = try WorkerBench()
        alone.submit(1, prompt: [4, 5, 6], maximumTokens: 8)
        alone.run()
        let beside = try WorkerBench()
        for work in 1...4 as ClosedRange<UInt64> {
            beside.submit(work, prompt: work == 1 ? [4, 5, 6] : [UInt32(work)], maximumTokens: 8)
        }
        beside.run()
        #expect(beside.answers.count == 4)
        #expect(beside.answers[1] == alone.answers[1])
    }

    @Test func whatWasCancelledIsCountedAndToldOnce() throws {
        let bench = try WorkerBench()
        bench.submit(1, maximumTokens: 50)
        bench.run(steps: 3)
        let made = try #require(bench.answers[1]).tokens.count
        bench.cancel(1)
        bench.cancel(1)
        bench.run()
        let cancels = bench.commands.filter { if case .cancel = $0 { true } else { false } }
        #expect(cancels.count == 1)
        #expect(bench.answers[1]?.finish == .cancelled)
        let event = try #require(bench.events.first)
        #expect(event.outcome == .cancelled)
        #expect(Int(event.producedTokens - event.tokensAfterCancel) == made)
    }

    @Test func aLostTokenizersRequestsEndRecordedAndUntold() throws {
        let bench = try WorkerBench(slots: 2)
        bench.submit(1, maximumTokens: 50)
        bench.submit(2, maximumTokens: 50)
        bench.run(steps: 2)
        bench.restartTokenizer()
        bench.run()
        #expect(bench.events.map(\.outcome) == [.cancelled, .cancelled])
        bench.pass(2_000_000_000)
        // Both slots are free for the one that came.
        bench.submit(3, maximumTokens: 2)
        bench.submit(4, maximumTokens: 2)
        bench.run()
        #expect(bench.answers[3]?.finish == .length)
        #expect(bench.answers[4]?.finish == .length)
    }

    @Test func whoCannotRecordTakesNoWorkUntilThatGoesAgain() throws {
        let bench = try WorkerBench()
        bench.worker.recordingFailure = "no space"
        bench.pass(2_000_000_000)
        #expect(!bench.isReady)
        bench.worker.recordingFailure = nil
        bench.pass(2_000_000_000)
        #expect(bench.isReady)
        bench.submit(1, maximumTokens: 2)
        bench.run()
        #expect(bench.answers[1]?.finish == .length)
    }

    @Test func whatIsHeldIsFinishedWhileItDrains() throws {
        let bench = try WorkerBench()
        bench.submit(1, maximumTokens: 5)
        bench.run(steps: 1)
        bench.worker.drain(bench.now)
        bench.settle()
        #expect(!bench.isDrained)
        bench.run()
        #expect(bench.answers[1]?.tokens.count == 5)
        #expect(bench.isDrained)
    }

    @Test func whatIsNotFinishedInTimeIsHandedBack() throws {
        let bench = try WorkerBench()
        bench.submit(1, maximumTokens: 50)
        bench.run(steps: 2)
        bench.worker.drain(bench.now)
        bench.worker.giveUp(bench.now)
        bench.settle()
        bench.run()
        #expect(bench.answers[1]?.finish == .handedBack)
        #expect(bench.lost == [1])
        #expect(bench.events.map(\.outcome) == [.handedBack])
        #expect(bench.isDrained)
    }

    @Test func aFrameThatIsNoneEndsTheSession() throws {
        let bench = try WorkerBench()
        bench.submit(1, maximumTokens: 50)
        bench.run(steps: 1)
        bench.disturb()
        #expect(bench.lost == [1])
        bench.run()
        #expect(bench.events.map(\.outcome) == [.cancelled])
        bench.pass(2_000_000_000)
        #expect(bench.isReady)
    }

    @Test func aFrameThatCannotBeSentEndsTheSession() throws {
        let bench = try WorkerBench()
        bench.submit(1, maximumTokens: 50)
        bench.run(steps: 1)
        let nothing: [UInt8] = []
        bench.worker.unsent(nothing.span, to: .above(line: 0, link: bench.firstLink), now: bench.now)
        bench.settle()
        #expect(!bench.isReady)
        bench.run()
        #expect(bench.events.map(\.outcome) == [.cancelled])
    }
}
