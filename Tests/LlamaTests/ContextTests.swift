import Llama
import Synchronization
import Testing

struct ContextTests {
    let model: LlamaModel

    init() throws {
        model = try Fixtures.model.get()
    }

    private func context(tokens: Int = 512, sequences: Int = 4, abort: LlamaAbortFlag? = nil) throws -> LlamaContext {
        try LlamaContext(
            model: model,
            options: .init(
                contextLength: tokens, batchTokens: 256, maximumSequences: sequences, threads: 2, abortFlag: abort))
    }

    private func prompt(_ question: String) throws -> [UInt32] {
        let template = try ChatTemplate(
            source: try #require(model.chatTemplateSource), vocabulary: model.vocabulary)
        var tokens: [UInt32] = []
        try model.vocabulary.encode(
            try template.render([ChatMessage(role: "user", content: question)], now: 0), into: &tokens)
        return tokens
    }

    private func add(
        _ tokens: some Sequence<UInt32>, from position: Int = 0, to sequence: Int32, _ batch: inout LlamaBatch
    ) {
        let tokens = Array(tokens)
        for (index, token) in tokens.enumerated() {
            batch.add(
                token: token, position: Int32(position + index), sequence: sequence,
                wantLogits: index == tokens.count - 1)
        }
    }

    /// Continues sequences that were just decoded, all in one batch per step; `rows` are the indices of their logits.
    private func generate(
        _ count: Int, _ context: inout LlamaContext, rows: [Int], sequences: [Int32], positions: [Int]
    ) throws -> [[UInt32]] {
        var batch = LlamaBatch(capacity: sequences.count)
        var rows = rows
        var answers = [[UInt32]](repeating: [], count: sequences.count)
        for step in 0..<count {
            var next: [UInt32] = []
            for row in rows {
                let token = context.withLogits(row, greedy)
                next.append(try #require(token))
            }
            batch.clear()
            for (index, token) in next.enumerated() {
                answers[index].append(token)
                rows[index] = batch.add(
                    token: token, position: Int32(positions[index] + step), sequence: sequences[index], wantLogits: true
                )
            }
            try context.decode(batch)
        }
        return answers
    }

    private func answer(_ tokens: [UInt32], _ count: Int) throws -> [UInt32] {
        var context = try context()
        var batch = LlamaBatch(capacity: 256)
        add(tokens, to: 0, &batch)
        try context.decode(batch)
        return try generate(count, &context, rows: [tokens.count - 1], sequences: [0], positions: [tokens.count])[0]
    }

    private func text(_ tokens: [UInt32]) throws -> String {
        var bytes: [UInt8] = []
        for token in tokens { try model.vocabulary.bytes(of: token, renderSpecial: false, into: &bytes) }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func answersAQuestion() throws {
        #expect(try text(try answer(try prompt("Hi"), 8)) == "Hello! How can I assist you today")
    }

    @Test func sequencesInOneBatchDoNotMix() throws {
        let prompts = [try prompt("Hi"), try prompt("Count from 1 to 10.")]
        var context = try context()
        var batch = LlamaBatch(capacity: 256)
        add(prompts[0], to: 0, &batch)
        add(prompts[1], to: 1, &batch)
        try context.decode(batch)
        let answers = try generate(
            8, &context, rows: [prompts[0].count - 1, prompts[0].count + prompts[1].count - 1], sequences: [0, 1],
            positions: prompts.map(\.count))
        #expect(try text(answers[0]) == "Hello! How can I assist you today")
        #expect(try text(answers[1]) == "1. 1\n2. ")
    }

    @Test func aCopiedPrefixContinuesLikeItsSource() throws {
        let tokens = try prompt("What is the largest planet?")
        let expected = try answer(tokens, 8)

        var context = try context()
        var batch = LlamaBatch(capacity: 256)
        add(tokens.dropLast(4), to: 0, &batch)
        try context.decode(batch)
        let shared = tokens.count - 4
        context.copySequence(from: 0, to: 3, positions: 0..<Int32(shared))
        let copied = context.lastPosition(of: 3)
        #expect(copied == Int32(shared - 1))
        let wasRemoved = context.removeSequence(0)
        let remaining = context.lastPosition(of: 0)
        #expect(wasRemoved && remaining == nil)
        batch.clear()
        add(tokens.suffix(4), from: shared, to: 3, &batch)
        try context.decode(batch)
        let answers = try generate(8, &context, rows: [3], sequences: [3], positions: [tokens.count])
        #expect(answers[0] == expected)
    }

    @Test func anEndCanBeTakenBack() throws {
        let tokens = try prompt("What is the largest planet?")
        let expected = try answer(tokens, 8)
        var context = try context()
        var batch = LlamaBatch(capacity: 256)
        add(tokens + [100, 200, 300], to: 2, &batch)
        try context.decode(batch)
        let wasRemoved = context.removeSequence(2, from: Int32(tokens.count - 1))
        #expect(wasRemoved)
        batch.clear()
        add(tokens.suffix(1), from: tokens.count - 1, to: 2, &batch)
        try context.decode(batch)
        let answers = try generate(8, &context, rows: [0], sequences: [2], positions: [tokens.count])
        #expect(answers[0] == expected)
    }

    /// Nil if the batch was decoded.
    private func error(of context: inout LlamaContext, _ batch: borrowing LlamaBatch) -> DecodeError? {
        do {
            try context.decode(batch)
            return nil
        } catch {
            return error
        }
    }

    @Test func sharesItsCacheAndSaysWhenItIsFull() throws {
        var context = try context(tokens: 256, sequences: 2)
        let limits = [context.contextLength, context.maximumSequences, context.batchTokens]
        #expect(limits == [256, 2, 256])
        var batch = LlamaBatch(capacity: 256)
        // More than half of the cache in one sequence: the other takes what is left, and no more.
        add(repeatElement(100, count: 200), to: 0, &batch)
        try context.decode(batch)
        batch.clear()
        add(repeatElement(100, count: 100), to: 1, &batch)
        let full = error(of: &context, batch)
        #expect(full == .noKVSlot)
        let before = context.lastPosition(of: 1)
        #expect(before == nil)
        context.removeSequence(0, from: 100)
        try context.decode(batch)
        let after = context.lastPosition(of: 1)
        #expect(after == 99)
        context.clear()
        let cleared = [context.lastPosition(of: 0), context.lastPosition(of: 1)]
        #expect(cleared == [nil, nil])
    }

    @Test func refusesBadBatches() throws {
        var context = try context()
        var batch = LlamaBatch(capacity: 4)
        let empty = error(of: &context, batch)
        #expect(empty == .invalidBatch)
        for token in [UInt32(model.vocabulary.count), .max] {
            batch.clear()
            batch.add(token: token, position: 0, sequence: 0, wantLogits: true)
            let unknown = error(of: &context, batch)
            #expect(unknown == .invalidBatch)
        }
        batch.clear()
        batch.add(token: 1, position: 0, sequence: 4, wantLogits: true)
        let outside = error(of: &context, batch)
        #expect(outside == .invalidBatch)
    }

    @Test func givesLogitsOnlyWhereTheyWereWanted() throws {
        var context = try context()
        var batch = LlamaBatch(capacity: 4)
        let early = context.withLogits(0) { $0.count }
        #expect(early == nil)
        batch.add(token: 1, position: 0, sequence: 0, wantLogits: false)
        let index = batch.add(token: 2, position: 1, sequence: 0, wantLogits: true)
        #expect(index == 1)
        try context.decode(batch)
        var counts: [Int?] = []
        for row in -1...2 { counts.append(context.withLogits(row) { $0.count }) }
        #expect(counts == [nil, nil, model.vocabulary.count, nil])
    }

    @Test func stopsWhenTold() throws {
        let flag = LlamaAbortFlag()
        var context = try context(abort: flag)
        var batch = LlamaBatch(capacity: 4)
        batch.add(token: 1, position: 0, sequence: 0, wantLogits: true)
        flag.raise()
        let stopped = error(of: &context, batch)
        #expect(stopped == .aborted)
        flag.lower()
        context.clear()
        try context.decode(batch)
        let count = context.withLogits(0) { $0.count }
        #expect(count == model.vocabulary.count)
    }

    @Test func movesToAnotherThread() async throws {
        let tokens = try prompt("What is the largest planet?")
        var context = try context()
        var batch = LlamaBatch(capacity: 256)
        add(tokens, to: 0, &batch)
        try context.decode(batch)
        let box = Moved(context: context)
        let token = await Task.detached { box.firstToken(row: tokens.count - 1) }.value
        let expected = try answer(tokens, 1)
        #expect(token == expected.first)
    }
}

private final class Moved: Sendable {
    private let context: Mutex<LlamaContext>

    init(context: consuming LlamaContext) {
        self.context = Mutex(context)
    }

    func firstToken(row: Int) -> UInt32? {
        context.withLock { $0.withLogits(row, greedy) }
    }
}

private func greedy(_ logits: Span<Float>) -> UInt32 {
    var best = 0
    for index in logits.indices where logits[index] > logits[best] { best = index }
    return UInt32(best)
}
