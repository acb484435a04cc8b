import Batching
import Engines
import Foundation
import Llama
import Testing

/// Over the real model. llama.cpp's arithmetic may depend on a batch's shape, so two texts may part where the two best
/// logits nearly tie, and nowhere else.
@Suite(.serialized) struct LlamaEngineTests {
    /// Largest gap of the two best logits at which texts may part.
    static let nearTie: Float = 0.5

    let model: LlamaModel

    init() throws {
        model = try Fixtures.model.get()
    }

    func engine(sequences: Int = 9) throws -> LlamaEngine {
        try LlamaEngine(
            model: model,
            options: .init(contextCells: 4096, maximumSequences: sequences, threads: 1, notesMargin: true))
    }

    func request(_ id: Int, _ tokens: [UInt32], most: Int, generated: Int = 0) -> EngineRequest {
        EngineRequest(
            id: UInt64(id), tokens: tokens, generatedCount: generated, limits: TokenLimits(maximumTokens: most))
    }

    /// - Returns: whether they part, which they may at a near-tie only.
    func part(_ one: Answer, _ other: Answer, _ comment: Comment) -> Bool {
        guard one.tokens != other.tokens else { return false }
        let index = zip(one.tokens, other.tokens).enumerated().first { $0.element.0 != $0.element.1 }?.offset
        guard let index else {
            Issue.record("one text is the other's beginning: \(comment)")
            return true
        }
        #expect(one.margins[index] < Self.nearTie && other.margins[index] < Self.nearTie, comment)
        return true
    }

    /// Prompts of the two tests below; 200 are the published figure.
    var promptCount: Int {
        ProcessInfo.processInfo.environment["TOKENFACTORY_INVARIANCE_PROMPTS"].flatMap { Int($0) } ?? 8
    }

    /// Cells that a request frees are taken by the next tokens of others, whose attention then adds up in another order:
    /// so the comparison ends with the first of the batch.
    @Test("Greedy texts alone are those in a batch of 8, bit for bit, until one of them ends")
    func aloneAndTogether() throws {
        var engine = try engine()
        let prompts = try Fixtures.prompts(model, promptCount)
        let requests = prompts.enumerated().map { request($0.offset, $0.element, most: 24) }
        for start in stride(from: 0, to: requests.count, by: 8) {
            let batch = Array(requests[start..<min(start + 8, requests.count)])
            let together = try engine.run(batch, retainedCells: 0)
            let shortest = try #require(together.values.map(\.tokens.count).min())
            for request in batch {
                let alone = try engine.run([request], retainedCells: 0)
                let one = try #require(alone[request.id])
                let other = try #require(together[request.id])
                #expect(one.tokens.prefix(shortest) == other.tokens.prefix(shortest), "prompt \(request.id)")
                #expect(one.margins.prefix(shortest) == other.margins.prefix(shortest), "prompt \(request.id)")
            }
        }
    }

    @Test("Greedy texts alone are those in a batch that others join and leave, up to near-ties")
    func aloneAndAmongOthers() throws {
        let most = promptCount > 16 ? 64 : 16
        var engine = try engine(sequences: 16)
        let prompts = try Fixtures.prompts(model, promptCount * 2)
        let requests = prompts.enumerated().map { request($0.offset, $0.element, most: most) }
        let together = try engine.run(requests, startTogether: 8)
        var parted = 0
        for request in requests {
            let one = try #require(try engine.run([request])[request.id])
            let other = try #require(together[request.id])
            if part(one, other, "prompt \(request.id)") { parted += 1 }
        }
        print("greedy texts of \(most) tokens that part, alone and among seven others: \(parted) of \(requests.count)")
    }

    @Test("A text resumed after some tokens goes on as it was, up to near-ties")
    func resume() throws {
        var engine = try engine()
        let prompts = try Fixtures.prompts(model, 8)
        var parted = 0
        for (index, prompt) in prompts.enumerated() {
            let whole = try #require(try engine.run([request(index, prompt, most: 24)])[UInt64(index)])
            guard whole.tokens.count > 12 else { continue }
            let resumed = try engine.run(
                [request(index, prompt + whole.tokens.prefix(11), most: 24, generated: 11)])
            var joined = try #require(resumed[UInt64(index)])
            joined.tokens = whole.tokens.prefix(11) + joined.tokens
            joined.margins = whole.margins.prefix(11) + joined.margins
            if part(whole, joined, "prompt \(index)") { parted += 1 }
        }
        #expect(parted <= 2)
    }

    @Test("A shared prefix saves its computation and changes no text, up to near-ties")
    func prefixReuse() throws {
        var engine = try engine()
        let prompt = try #require(try Fixtures.prompts(model, 1).first)
        let requests = (0..<3).map { request($0, prompt + Array(prompt.prefix($0)), most: 12) }
        let fresh = try requests.map { try engine.run([$0])[$0.id] }
        let reused = try engine.run(requests, startTogether: 1)
        for (request, alone) in zip(requests, fresh) {
            let shared = try #require(reused[request.id])
            #expect(Int(shared.cachedTokens) == (request.id == 0 ? 0 : prompt.count - 1 + Int(request.id)))
            _ = part(try #require(alone), shared, "request \(request.id)")
        }
    }

    @Test("Preempted requests keep their texts, up to near-ties")
    func preemption() throws {
        var roomy = try engine()
        let requests = try Fixtures.prompts(model, 6).enumerated().map { request($0.offset, $0.element, most: 40) }
        let calm = try roomy.run(requests)
        // llama.cpp rounds a context up to 256 cells; six requests of some 60 tokens do not fit that.
        var cramped = try LlamaEngine(
            model: model, options: .init(contextCells: 256, maximumSequences: 6, threads: 1, notesMargin: true))
        let pressed = try cramped.run(requests)
        for request in requests {
            let one = try #require(calm[request.id])
            let other = try #require(pressed[request.id])
            if !part(one, other, "request \(request.id)") { #expect(other.end == one.end) }
        }
    }

    @Test("The engine ends at the model's own end-of-generation token, not before the minimum")
    func endOfGeneration() throws {
        var engine = try engine()
        var tokens: [UInt32] = []
        let text = Array("<|im_start|>user\nSay yes.<|im_end|>\n<|im_start|>assistant\n".utf8)
        try model.vocabulary.tokenize(text.span, parseSpecial: true, addSpecial: false, into: &tokens)
        let plain = try #require(try engine.run([request(1, tokens, most: 200)])[1])
        #expect(plain.end == .endOfGeneration)
        let longer = EngineRequest(
            id: 1, tokens: tokens,
            limits: TokenLimits(maximumTokens: 200, minimumTokens: plain.tokens.count + 3))
        #expect(try #require(try engine.run([longer])[1]).tokens.count >= plain.tokens.count + 3)
    }

    @Test("Sampling with a seed repeats, and another seed differs")
    func seeds() throws {
        var engine = try engine()
        let prompt = try #require(try Fixtures.prompts(model, 1).first)
        func seeded(_ seed: UInt64) -> EngineRequest {
            EngineRequest(
                id: seed, tokens: prompt, sampling: SamplingSettings(seed: seed, temperature: 1, topP: 0.95),
                limits: TokenLimits(maximumTokens: 6))
        }
        let one = try engine.run([seeded(1)])[1]?.tokens
        #expect(try engine.run([seeded(1)])[1]?.tokens == one)
        #expect(try engine.run([seeded(2)])[2]?.tokens != one)
    }
}
