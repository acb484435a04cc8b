import Seeds
import Testing
import Tokenization

struct AnswerAssemblerTests {
    @Test func stopStringAcrossTokensEndsTheAnswer() throws {
        let table = TokenTable(pieces: ["Hello", " wo", "rld", "!", " again"].map { Array($0.utf8) })
        var answer = AnswerAssembler(stops: ["world"])
        var text: [UInt8] = []
        let first = try answer.push([0, 1].span, table: table, into: &text)
        #expect(first.tokensTaken == 2 && first.isStopped == false)
        let second = try answer.push([2, 3, 4].span, table: table, into: &text)
        #expect(second.tokensTaken == 1 && second.isStopped == true)
        #expect(answer.tokenCount == 3)
        #expect(String(decoding: text, as: UTF8.self) == "Hello ")
        let third = try answer.push([4].span, table: table, into: &text)
        #expect(third.tokensTaken == 0 && third.isStopped == true)
        answer.finish(into: &text)
        #expect(String(decoding: text, as: UTF8.self) == "Hello ")
    }

    @Test func stopStringsWithinTheMinimumDoNotCount() throws {
        let table = TokenTable(pieces: [Array("a".utf8), Array("b".utf8)])
        var answer = AnswerAssembler(stops: ["b"], minimumTokens: 2)
        var text: [UInt8] = []
        let progress = try answer.push([0, 1, 0, 1, 0].span, table: table, into: &text)
        #expect(progress.tokensTaken == 4 && progress.isStopped == true)
        #expect(String(decoding: text, as: UTF8.self) == "aba")
    }

    @Test func aStopTokenEndsTheAnswerAndGivesNoText() throws {
        let table = TokenTable(pieces: ["Hel", "lo", " wor", "STOP"].map { Array($0.utf8) })
        let answer = AnswerAssembler(stops: ["world"], stopTokens: [3, 900], minimumTokens: 2)
        let tokens: [UInt32] = [0, 3, 1, 2, 3, 0]
        var whole = answer
        var text: [UInt8] = []
        let progress = try whole.push(tokens.span, table: table, into: &text)
        #expect(progress.tokensTaken == 5 && progress.isStopped == true)
        // What a stop string could have begun with was held back.
        #expect(String(decoding: text, as: UTF8.self) == "HelSTOPlo ")
        whole.finish(into: &text)
        #expect(String(decoding: text, as: UTF8.self) == "HelSTOPlo wor")
        #expect(whole.tokenCount == 5)
        // Elsewhere it goes on the same from any token, and knows that it is over.
        for cut in 1...5 {
            let (before, after) = (Array(tokens.prefix(cut)), Array(tokens.dropFirst(cut)))
            var first = answer
            var delivered: [UInt8] = []
            _ = try first.push(before.span, table: table, into: &delivered)
            var resumption = AnswerResumption(
                of: answer, generated: before, deliveredBytes: UInt64(delivered.count), table: table)
            var second = try resumption.run().get()
            #expect(second.isStopped == (cut == 5))
            _ = try second.push(after.span, table: table, into: &delivered)
            second.finish(into: &delivered)
            #expect(delivered == text)
            #expect(second.tokenCount == 5)
        }
    }

    @Test func aRowKeepsToWhatWasAsked() {
        func admits(_ tokens: [UInt32], cached: UInt32 = 0, remaining: Int = 2) -> Bool {
            RowBounds(vocabularySize: 10, given: 6, remaining: remaining).admit(tokens.span, cachedTokens: cached)
        }
        #expect(admits([9, 0], cached: 6))
        #expect(!admits([9, 10]))
        #expect(!admits([1, 2, 3]))
        #expect(!admits([], cached: 7))
        #expect(!admits([1], remaining: -1))
    }

    @Test func unknownTokenIsAnError() {
        let table = TokenTable(pieces: [[0x61]])
        var answer = AnswerAssembler()
        var text: [UInt8] = []
        #expect(throws: AnswerError.unknownToken(7)) {
            try answer.push([0, 7].span, table: table, into: &text)
        }
    }

    @Test func deliveredBeyondTheTextIsAnError() {
        let table = TokenTable(pieces: [[0x61]])
        #expect(throws: AnswerError.deliveredBeyondText(delivered: 3, text: 2)) {
            var resumption = AnswerResumption(
                of: AnswerAssembler(), generated: [0, 0], deliveredBytes: 3, table: table)
            return try resumption.run().get()
        }
    }

    /// No step is longer than one of a long prompt, and all of them together give what one would.
    @Test func aLongAnswerIsTakenUpInSteps() throws {
        let table = TokenTable(pieces: [Array("a".utf8), Array("ab".utf8)])
        let tokens = (0..<100_000).map { UInt32($0 % 2) }
        let answer = AnswerAssembler(stops: Array(repeating: "abb", count: 15) + ["never"])
        var steps = AnswerResumption(of: answer, generated: tokens, deliveredBytes: 149_990, table: table)
        let whole = steps.cost
        var costs: [Int] = []
        var result: Result<AnswerAssembler, AnswerError>?
        while result == nil {
            costs.append(steps.nextCost)
            result = steps.step()
        }
        #expect(costs.count > 40 && costs.allSatisfy { $0 <= 8192 })
        #expect(abs(costs.reduce(0, +) - whole) <= costs.count)
        var resumed = try result?.get() ?? answer
        #expect(resumed.tokenCount == 100_000 && resumed.byteCount == 149_990)
        var text: [UInt8] = []
        resumed.finish(into: &text)
        #expect(String(decoding: text, as: UTF8.self) == "baabaabaab")
    }

    /// After the step with the end of the answer there is none.
    @Test func anAnswerThatIsOverIsNotReadOn() throws {
        let table = TokenTable(pieces: [Array("a".utf8), Array("!".utf8)])
        let tokens = [0, 1] + [UInt32](repeating: 0, count: 1 << 17)
        var steps = AnswerResumption(
            of: AnswerAssembler(stops: ["!"]), generated: tokens, deliveredBytes: 1, table: table)
        let answer = try steps.step()?.get()
        #expect(answer?.isStopped == true && answer?.tokenCount == 2)
    }

    @Test func anyTokensGiveTheTextOfTheWhole() throws {
        try forEachSeed(3000) { generator in
            let stream = TokenStream(&generator)
            var answer = stream.assembler()
            return try stream.rest(of: &answer, from: 0, &generator) == stream.whole()
        }
    }

    @Test func resumedAnywhereEqualsStraight() throws {
        try forEachSeed(3000) { generator in
            let stream = TokenStream(&generator)
            let whole = try stream.whole()

            // The old station got this far, and of its text some was delivered.
            let generated = generator.integer(0...stream.tokens.count)
            var old = stream.assembler()
            var text: [UInt8] = []
            _ = try old.push(Array(stream.tokens[..<generated]).span, table: stream.table, into: &text)
            let delivered = generator.integer(0...text.count)

            var resumption = AnswerResumption(
                of: stream.assembler(), generated: Array(stream.tokens[..<generated]),
                deliveredBytes: UInt64(delivered), table: stream.table)
            var new = try resumption.run().get()
            guard new.tokenCount == old.tokenCount, new.isStopped == old.isStopped else { return false }
            let rest = try stream.rest(of: &new, from: generated, &generator)
            return Array(text[..<delivered]) + rest == whole && new.byteCount == UInt64(whole.count)
        }
    }
}

/// Random tokens, whose bytes split characters and stop strings.
private struct TokenStream {
    let pieces: [[UInt8]]
    let table: TokenTable
    let tokens: [UInt32]
    let stops: [String]
    let minimum: Int

    init(_ generator: inout SeededGenerator) {
        pieces = generator.cut(generator.bytes(count: generator.integer(1...40)), longest: 4)
        table = TokenTable(pieces: pieces)
        tokens = pieces.indices.map { UInt32($0) }
        let text = Array(String(decoding: pieces.joined(), as: UTF8.self).unicodeScalars)
        stops = (0..<generator.integer(0...3)).map { _ in
            guard !text.isEmpty else { return "x" }
            let start = generator.integer(0...text.count - 1)
            let end = min(text.count, start + generator.integer(1...4))
            var stop = String.UnicodeScalarView()
            stop.append(contentsOf: text[start..<end])
            return String(stop)
        }
        minimum = generator.integer(0...3) == 0 ? generator.integer(0...tokens.count) : 0
    }

    func assembler() -> AnswerAssembler { AnswerAssembler(stops: stops, minimumTokens: minimum) }

    /// The rest of the tokens in random groups, and the end.
    func rest(
        of answer: inout AnswerAssembler, from start: Int, _ generator: inout SeededGenerator
    ) throws -> [UInt8] {
        var text: [UInt8] = []
        var position = start
        while position < tokens.count {
            let end = min(tokens.count, position + generator.integer(1...4))
            _ = try answer.push(Array(tokens[position..<end]).span, table: table, into: &text)
            position = end
        }
        answer.finish(into: &text)
        return text
    }

    /// The whole text by another way: decoded as the standard library does, searched at every place.
    func whole() throws -> [UInt8] {
        var ends: [Int] = []
        var detokenizer = IncrementalDetokenizer()
        var text: [UInt8] = []
        for token in tokens {
            let piece = pieces[Int(token)]
            detokenizer.push(piece.span, into: &text)
            ends.append(text.count)
        }
        detokenizer.flush(into: &text)
        #expect(text == Array(String(decoding: pieces.joined(), as: UTF8.self).utf8))

        for end in text.indices.map({ $0 + 1 }) {
            let madeBy = ends.firstIndex { $0 >= end } ?? (tokens.count - 1)
            guard madeBy + 1 > minimum else { continue }
            let found = stops.map { Array($0.utf8) }.filter { stop in
                stop.count <= end && text[..<end].suffix(stop.count).elementsEqual(stop)
            }
            if let longest = found.map(\.count).max() { return Array(text[..<(end - longest)]) }
        }
        return text
    }
}
