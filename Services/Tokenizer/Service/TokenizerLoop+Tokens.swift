import Dispatch
import Line
import Llama
import Logging
import Station
import Tables
import Tokenization
import Transport
import Wire

/// Questions about tokens: encoded in the pool like prompts, answered at once, without a worker.
extension TokenizerLoop {
    /// Who asked.
    struct TokenQuestion: Sendable {
        var number: UInt64
        var link: UInt32
        var session: UInt32
        var wantsPieces: Bool
        var addsSpecialTokens: Bool
        /// On our monotonic clock; `UInt64.max` for never.
        var deadline: UInt64
    }

    func take(_ frame: Tokenize, on link: UInt32, now: UInt64) {
        guard let session = ingests.side.session(of: link) else { return }
        let (deadline, isNever) = now.addingReportingOverflow(frame.timeLeft)
        let question = TokenQuestion(
            number: frame.number, link: link, session: session, wantsPieces: frame.wantsPieces,
            addsSpecialTokens: frame.addsSpecialTokens, deadline: frame.timeLeft == 0 || isNever ? .max : deadline)
        counters.questions += 1
        guard frame.model.isEmpty || frame.model == configuration.modelName else {
            return refuse(question, .unknownModel, "The model \(frame.model) is not served here.")
        }
        guard let prompt = Prompt(frame.form, frame.strings, frame.tokens, frame.template) else {
            return refuse(question, .invalidRequest, "A chat is pairs of role and content.")
        }
        if case .tokens(let tokens) = prompt { return addPieces(to: tokens, for: question) }
        let ticket = pool.submit(
            prompt,
            share: EncodeShare(
                tenant: frame.tenant, weight: frame.weight == 0 ? 1 : Double(frame.weight) / 1000),
            tokenLimit: WireLimits.promptTokens
        ) { [weak self] result in
            self?.assumeIsolated { $0.encoded(question, prompt, result) }
        }
        if ticket == nil { refuse(question, .busy, "The tokenizer's queue is full.") }
    }

    private func encoded(_ question: TokenQuestion, _ prompt: Prompt, _ result: Result<[UInt32], PromptError>) {
        switch result {
        case .failure(.empty): answer(question, tokens: [])
        case .failure(let error):
            refuse(question, error.isTheRequestsFault ? .invalidRequest : .engineFailed, error.description)
        case .success(let tokens):
            let tokens = encoder.withSpecialTokens(question.addsSpecialTokens, tokens, of: prompt)
            if question.wantsPieces { addPieces(to: tokens, for: question) } else { answer(question, tokens: tokens) }
        }
    }

    /// Looks up the tokens' texts on a thread of its own: of many tokens that takes a while.
    private func addPieces(to tokens: [UInt32], for question: TokenQuestion) {
        let (encoder, reactor) = (encoder, reactor)
        pieceThread.async { [weak self] in
            let result: Result<PromptEncoder.Pieces, PromptError>
            do throws(PromptError) { result = .success(try encoder.pieces(of: tokens)) } catch {
                result = .failure(error)
            }
            reactor.post {
                self?.assumeIsolated { loop in
                    switch result {
                    case .success(let pieces): loop.answer(question, tokens: tokens, pieces)
                    case .failure(let error): loop.refuse(question, .invalidRequest, error.description)
                    }
                }
            }
        }
    }

    private func answer(
        _ question: TokenQuestion, tokens: [UInt32], _ pieces: PromptEncoder.Pieces = PromptEncoder.Pieces()
    ) {
        guard MonotonicClock.now() < question.deadline else { return }
        send(
            Tokenized(
                number: question.number, contextLength: UInt32(clamping: contextLength), tokens: tokens,
                ends: pieces.ends, text: pieces.text), to: question)
    }

    private func refuse(_ question: TokenQuestion, _ status: Status, _ message: String) {
        send(Tokenized(number: question.number, status: status, text: Array(message.utf8)), to: question)
    }

    /// Sends an answer, if the session in which it was asked for is still there.
    private func send(_ answer: Tokenized, to question: TokenQuestion) {
        guard ingests.side.session(of: question.link) == question.session else { return }
        do throws(WireError) {
            try answer.encode(into: &frame, session: question.session)
        } catch {
            return refuse(question, .promptTooLong, "The tokens do not fit a frame.")
        }
        ingests.send(&frame, on: question.link, session: question.session)
    }

    private var contextLength: Int { workers.dispatcher.largestContext.map { Int($0) } ?? lastContextLength }
}

extension Prompt {
    /// What a frame asks for; nil for a chat that is not pairs of role and content.
    init?(_ form: PromptForm, _ strings: [String], _ tokens: [UInt32], _ template: TemplateOptions) {
        let options = ChatOptions(
            arguments: template.arguments, continuesFinalMessage: template.continuesFinalMessage,
            addsGenerationPrompt: !template.omitsGenerationPrompt)
        switch form {
        case .chat:
            guard strings.count.isMultiple(of: 2) else { return nil }
            self = .chat(
                stride(from: 0, to: strings.count, by: 2).map {
                    ChatMessage(role: strings[$0], content: strings[$0 + 1])
                }, options)
        case .text: self = .text(strings.first ?? "")
        case .tokens: self = .tokens(tokens)
        case .messages: self = .messages(strings.first ?? "", options)
        }
    }
}
