import Line
import Testing
import TokenizerService
import Wire

struct TokenizerTests {
    private let prompt: [UInt32] = [4, 5, 6]

    @Test func aRequestIsEncodedDispatchedAndAnswered() {
        let bench = TokenizerBench()
        bench.join()
        bench.submit(1, prompt: prompt, maximumTokens: 4)
        bench.run()
        let whole = TokenizerBench.whole(prompt, 4)
        #expect(bench.answers[1]?.tokens == whole)
        #expect(bench.answers[1]?.text == whole.map { "\($0) " }.joined())
        #expect(bench.answers[1]?.finish == .length)
        #expect(bench.events.isEmpty)
    }

    @Test func withoutAWorkerThereIsNoRoom() {
        let bench = TokenizerBench()
        #expect(!bench.isReady)
        bench.pass(500_000_000)
        #expect(bench.room == 0)
        bench.join()
        bench.pass(500_000_000)
        #expect(bench.isReady)
        #expect(bench.room > 0)
    }

    @Test func anAnswerGoesOnWithAnotherWorker() throws {
        let bench = TokenizerBench()
        let first = bench.join()
        bench.submit(1, prompt: prompt, maximumTokens: 8)
        bench.step()
        bench.step()
        bench.join()
        bench.kill(first)
        bench.run()
        #expect(bench.answers[1]?.tokens == TokenizerBench.whole(prompt, 8))
        #expect(bench.answers[1]?.finish == .length)
        let event = try #require(bench.events.first)
        #expect(bench.events.count == 1)
        #expect(event.kind == .lostAttempt && event.producedTokens == 2 && event.outcome == .lost)
    }

    @Test func afterFourLostWorkersARequestIsGivenUp() {
        let bench = TokenizerBench()
        bench.join()
        bench.submit(1, prompt: prompt, maximumTokens: 50)
        for _ in 0..<5 {
            bench.step()
            let worker = bench.workers.first { !$0.held.isEmpty } ?? bench.workers[0]
            bench.join()
            bench.kill(worker)
        }
        #expect(bench.answers[1]?.finish == .failed)
        #expect(bench.answers[1]?.status == .unavailable)
        #expect(bench.events.count == 5)
    }

    @Test func aCancelReachesARequestWhereverItIs() {
        let bench = TokenizerBench()
        let worker = bench.join(slots: 1)
        bench.holdsEncoding = true
        bench.submit(1, prompt: prompt, maximumTokens: 20)
        bench.cancel(1)
        #expect(bench.answers[1]?.finish == .cancelled)
        bench.holdsEncoding = false
        bench.encode()
        #expect(worker.held.isEmpty)
        bench.submit(2, prompt: prompt, maximumTokens: 20)
        bench.submit(3, prompt: [9], maximumTokens: 20)
        #expect(worker.held.count == 1)
        // The third waits for the worker's only slot.
        bench.cancel(3)
        #expect(bench.answers[3]?.finish == .cancelled)
        bench.step()
        bench.cancel(2)
        bench.run()
        #expect(bench.answers[2]?.finish == .cancelled)
        #expect(bench.answers[2]?.tokens.isEmpty == false)
        #expect(worker.held.isEmpty)
    }

    @Test func whatIsOverdueEndsWhereverItIs() {
        let bench = TokenizerBench()
        bench.join(slots: 1)
        bench.holdsEncoding = true
        bench.submit(1, prompt: prompt, maximumTokens: 20, timeLeft: 100_000_000)
        bench.pass(200_000_000)
        #expect(bench.answers[1]?.status == .deadlineExceeded)
        bench.holdsEncoding = false
        bench.encode()
        bench.submit(2, prompt: prompt, maximumTokens: 20, timeLeft: 100_000_000)
        bench.step()
        bench.pass(200_000_000)
        #expect(bench.answers[2]?.status == .deadlineExceeded)
    }

    @Test(arguments: [TokenizerBench.Worker.Lie.position, .vocabulary])
    func aWorkerThatSendsWhatWasNotAskedForLosesItsSession(_ lie: TokenizerBench.Worker.Lie) {
        let bench = TokenizerBench()
        let liar = bench.join()
        bench.submit(1, prompt: prompt, maximumTokens: 4)
        liar.lie = lie
        bench.join()
        bench.step()
        #expect(liar.held.isEmpty)
        bench.run()
        liar.lie = nil
        bench.pass(2_000_000_000)
        bench.run()
        #expect(bench.answers[1]?.tokens == TokenizerBench.whole(prompt, 4))
        #expect(bench.answers[1]?.finish == .length)
    }

    @Test func anAnswerToAnotherPromptFails() {
        let bench = TokenizerBench()
        bench.join().lie = .digest
        bench.submit(1, prompt: prompt)
        bench.run()
        #expect(bench.answers[1]?.finish == .failed)
        #expect(bench.answers[1]?.status == .digestMismatch)
        #expect(bench.answers[1]?.tokens.isEmpty == true)
    }

    @Test func whoCannotRecordTakesNoWork() {
        let bench = TokenizerBench()
        bench.join()
        bench.pass(500_000_000)
        #expect(bench.room > 0)
        bench.tokenizer.recordingFailure = "no space"
        bench.pass(500_000_000)
        #expect(bench.room == 0)
        bench.tokenizer.recordingFailure = nil
        bench.pass(500_000_000)
        bench.submit(1, prompt: prompt)
        bench.run()
        #expect(bench.answers[1]?.finish == .length)
    }

    @Test func whatIsNotFinishedInTimeIsHandedBack() {
        let bench = TokenizerBench()
        bench.join()
        bench.submit(1, prompt: prompt, maximumTokens: 20)
        bench.step()
        bench.tokenizer.drain(bench.now)
        bench.settle()
        #expect(!bench.isDrained)
        bench.tokenizer.giveUp(bench.now)
        bench.settle()
        bench.run(steps: 3)
        #expect(bench.answers[1]?.finish == .handedBack)
        #expect(bench.lost == [1])
        #expect(bench.isDrained)
    }
}
