public import Line
import Tables
import Telemetry
public import Tokenization
import Wire

/// From a request's frame to the tokens of its prompt, and of the answer so far where another tokenizer began it.
extension Tokenizer {
    /// Takes a request of an ingest and has its prompt encoded.
    mutating func hold(_ encode: Encode, on link: UInt32, now: LinkTime) {
        // Credit is granted after the session's beginning was handled: whoever keeps to it finds a tray here.
        guard let tray = trays[link],
            case .accepted(let work) = ingests.accept(encode.handle, on: link, now: now)
        else { return }
        counters.requests += 1
        let stream = AnswerStream(
            encode, work: work, tray: tray,
            model: encode.body.model.isEmpty ? settings.modelName : encode.body.model, receivedAt: now)
        stream.stamps.downBegun = now
        let key = streams.insert(stream)
        streamByUpperWork[work] = key
        nextDeadline = min(nextDeadline, stream.deadline)
        guard stream.model == settings.modelName else {
            return fail(key, stream, .unknownModel, "The model \(encode.body.model) is not served here.", now)
        }
        let body = encode.body
        guard let prompt = Prompt(body.form, body.strings, body.tokens, body.template) else {
            return fail(key, stream, .invalidRequest, "A chat is pairs of role and content.", now)
        }
        let context = contextLength
        if let fewest = fewestTokens(of: prompt), context > 0, fewest >= context {
            let isCounted = if case .tokens = prompt { true } else { false }
            return fail(
                key, stream, .promptTooLong,
                isCounted
                    ? Self.overflow(context: context, tokens: fewest)
                    : Self.overflow(context: context, atLeast: fewest), now)
        }
        outbox.command(
            .encode(
                key: key, prompt, stream.encodeShare, tokenLimit: context > 0 ? context : .max,
                affordable: affordableBytes))
        affordableBytes -= min(affordableBytes, prompt.cost)
    }

    /// The pool takes no more: the request's prompt, or its answer so far, will not be read.
    mutating func encodingIsFull(_ key: UInt64, now: LinkTime) {
        guard let stream = streams[key], case .encoding = stream.state else { return }
        fail(key, stream, .busy, "The tokenizer's queue is full.", now)
    }

    /// A request's prompt is encoded.
    public mutating func encoded(_ key: UInt64, _ result: Result<[UInt32], PromptError>, now: LinkTime) {
        guard let stream = streams[key], case .encoding = stream.state else { return }
        switch result {
        case .failure(.tooManyTokens(let fewest)):
            fail(key, stream, .promptTooLong, Self.overflow(context: contextLength, atLeast: fewest), now)
        case .failure(let error):
            fail(key, stream, error.isTheRequestsFault ? .invalidRequest : .engineFailed, error.description, now)
        case .success(let prompt):
            counters.promptTokens += UInt64(prompt.count)
            if let bias = stream.options.logitBias.first(where: { $0.token >= table.count }) {
                return fail(
                    key, stream, .invalidRequest,
                    "logit_bias has the token id \(bias.token), but the model's vocabulary has \(table.count) tokens.",
                    now)
            }
            if let reason = fit(stream, prompt) { return fail(key, stream, .promptTooLong, reason, now) }
            guard stream.generated.isEmpty else { return resume(key, stream, now) }
            stream.state = .generating
            generate(key, atFront: false, now)
        }
    }

    /// Takes up the answer that another tokenizer began; in the pool where it is long.
    private mutating func resume(_ key: UInt64, _ stream: AnswerStream, _ now: LinkTime) {
        var steps = AnswerResumption(
            of: stream.answer, generated: stream.generated, deliveredBytes: stream.deliveredBytes, table: table)
        guard steps.cost > affordableBytes else {
            affordableBytes -= steps.cost
            return resumed(key, steps.run(), now: now)
        }
        let byteCount = stream.generated.count * MemoryLayout<UInt32>.size
        outbox.command(.resume(key: key, steps, byteCount: byteCount, stream.encodeShare))
    }

    /// The answer so far has been read.
    public mutating func resumed(_ key: UInt64, _ result: Result<AnswerAssembler, AnswerError>, now: LinkTime) {
        guard let stream = streams[key], case .encoding = stream.state else { return }
        switch result {
        case .failure(let error):
            fail(key, stream, .invalidRequest, "The answer cannot be continued: \(error)", now)
        case .success(let answer):
            stream.answer = answer
            stream.state = .generating
            generate(key, atFront: true, now)
        }
    }

    /// How many tokens a prompt has at least, as far as its size tells; nil where it does not.
    private func fewestTokens(of prompt: Prompt) -> Int? {
        if case .tokens(let ids) = prompt { return ids.count }
        return table.longest > 0 ? prompt.byteCount / table.longest : nil
    }

    /// Keeps the prompt and bounds the answer by what the context has left; the reason when not even the prompt fits.
    private mutating func fit(_ stream: AnswerStream, _ prompt: [UInt32]) -> String? {
        let context = contextLength
        stream.prompt = prompt
        guard context > 0 else { return nil }
        guard prompt.count < context else { return Self.overflow(context: context, tokens: prompt.count) }
        let room = UInt32(clamping: context - prompt.count)
        let wanted = stream.limits.maximumTokens
        stream.limits.maximumTokens = wanted == 0 ? room : min(wanted, room)
        return nil
    }

    /// In OpenAI's words, by which clients know that they have to shorten the prompt.
    static func overflow(context: Int, tokens: Int) -> String {
        "This model's maximum context length is \(context) tokens. However, your messages resulted in \(tokens) tokens. "
            + "Please reduce the length of the messages."
    }

    /// The same where the prompt was not read to its end.
    private static func overflow(context: Int, atLeast tokens: Int) -> String {
        "This model's maximum context length is \(context) tokens. However, your messages resulted in at least "
            + "\(tokens) tokens. Please reduce the length of the messages."
    }
}
