public import Line
import Llama
import Tables
import Tokenization
import Wire

/// Questions about tokens: encoded in the pool like prompts, answered at once, without a worker.
extension Tokenizer {
    mutating func answer(_ frame: Tokenize, on link: UInt32, now: LinkTime) {
        guard let session = ingests.session(of: link) else { return }
        let (deadline, isNever) = now.addingReportingOverflow(frame.timeLeft)
        let question = TokenQuestion(
            number: frame.number, link: link, session: session, wantsPieces: frame.wantsPieces,
            addsSpecialTokens: frame.addsSpecialTokens, deadline: frame.timeLeft == 0 || isNever ? .max : deadline)
        counters.questions += 1
        guard frame.model.isEmpty || frame.model == settings.modelName else {
            return refuse(question, .unknownModel, "The model \(frame.model) is not served here.", now)
        }
        guard let prompt = Prompt(frame.form, frame.strings, frame.tokens, frame.template) else {
            return refuse(question, .invalidRequest, "A chat is pairs of role and content.", now)
        }
        outbox.command(
            .tokenize(
                question, prompt,
                EncodeShare(tenant: frame.tenant, weight: frame.weight == 0 ? 1 : Double(frame.weight) / 1000)))
    }

    /// A question has been answered by the threads that encode.
    public mutating func answered(_ question: TokenQuestion, _ answer: TokenAnswer, now: LinkTime) {
        switch answer {
        case .full: refuse(question, .busy, "The tokenizer's queue is full.", now)
        case .failure(.empty): self.answer(question, tokens: [], now: now)
        case .failure(let error):
            refuse(question, error.isTheRequestsFault ? .invalidRequest : .engineFailed, error.description, now)
        case .tokens(let tokens, let pieces): self.answer(question, tokens: tokens, pieces, now: now)
        }
    }

    private mutating func answer(
        _ question: TokenQuestion, tokens: [UInt32], _ pieces: PromptEncoder.Pieces = PromptEncoder.Pieces(),
        now: LinkTime
    ) {
        guard now < question.deadline else { return }
        send(
            Tokenized(
                number: question.number, contextLength: UInt32(clamping: contextLength), tokens: tokens,
                ends: pieces.ends, text: pieces.text), to: question, now)
    }

    private mutating func refuse(_ question: TokenQuestion, _ status: Status, _ message: String, _ now: LinkTime) {
        send(Tokenized(number: question.number, status: status, text: Array(message.utf8)), to: question, now)
    }

    /// Sends an answer, if the session in which it was asked for is still there.
    private mutating func send(_ answer: Tokenized, to question: TokenQuestion, _ now: LinkTime) {
        guard ingests.session(of: question.link) == question.session else { return }
        do throws(WireError) {
            try outbox.send(
                on: Self.ingestLine, question.link, session: question.session, &ingests, now: now
            ) { frame, _ throws(WireError) in try answer.encode(into: &frame, session: question.session) }
        } catch {
            refuse(question, .promptTooLong, "The tokens do not fit a frame.", now)
        }
    }
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
