public import Keys
import Line
public import OpenAIDoor
import Station
import Tables
import Telemetry
import Transport
import Wire

/// Questions about tokens: a tokenizer answers them; nothing is generated, held below or billed.
extension IngestLoop {
    /// A question that waits for its answer.
    struct PendingTokens {
        let question: DoorTokenQuestion
        let weight: UInt32
        /// When the client is told that nobody answered.
        let until: UInt64
        let answer: CheckedContinuation<Result<DoorTokens, DoorFailure>, Never>
        /// Who was asked.
        var session: SessionRef?
        /// How often it was asked again.
        var repeats = 0
    }

    /// How long a tokenizer may take, in nanoseconds, where the client says nothing.
    private static var patience: UInt64 { 30_000_000_000 }
    private static var unansweredPerSession: Int { 64 }
    private static var maximumRepeats: Int { 3 }

    /// The tokens of a prompt, or the text of tokens.
    public func tokens(
        of question: DoorTokenQuestion, grant: KeyRing.Grant?
    ) async -> Result<DoorTokens, DoorFailure> {
        let now = MonotonicClock.now()
        let body = RequestBody(question.request)
        let promptBytes = body.strings.reduce(body.tokens.count * 4) { $0 + $1.utf8.count }
        let bytes = promptBytes + body.template.arguments.utf8.count
        if let failure = refusal(of: body, promptBytes: promptBytes, bytes: bytes, grant, now) {
            return .failure(failure)
        }
        lastQuestion += 1
        let number = lastQuestion
        let timeout = question.request.timeoutNanoseconds
        heldBytes += bytes
        defer { heldBytes -= bytes }
        return await withCheckedContinuation { continuation in
            questions[number] = PendingTokens(
                question: question, weight: UInt32(clamping: Int(grant?.weight ?? 1) * 1000),
                until: now.addingReportingOverflow(timeout == 0 ? Self.patience : min(timeout, Self.patience))
                    .partialValue,
                answer: continuation)
            ask(number)
        }
    }

    private func refusal(
        of body: RequestBody, promptBytes: Int, bytes: Int, _ grant: KeyRing.Grant?, _ now: UInt64
    ) -> DoorFailure? {
        guard !isDraining else { return DoorFailure(.unavailable, "This ingest is going; try another.") }
        guard heldBytes == 0 || heldBytes + bytes <= configuration.heldBytes else {
            counters.busy += 1
            return DoorFailure(.busy, "Too many requests wait; retry later.")
        }
        if body.form != .tokens, let message = overflow(of: body, promptBytes: promptBytes) {
            counters.refused += 1
            return DoorFailure(.contextLengthExceeded, message)
        }
        if let refusal = rateRefusal(of: grant, tokens: 0, now: now) {
            counters.refused += 1
            return DoorFailure(
                .rateLimited, refusal.message, retryAfterMilliseconds: refusal.retryAfterMilliseconds)
        }
        return nil
    }

    /// Sends a question to the tokenizer with the fewest unanswered ones.
    private func ask(_ number: UInt64) {
        guard let pending = questions[number] else { return }
        let model = pending.question.request.model
        let all = tokenizers.dispatcher.allPeers
        let peers = all.filter { (model.isEmpty || $0.model == model) && $0.version >= 2 }
        guard !peers.isEmpty else {
            guard all.isEmpty || all.contains(where: { model.isEmpty || $0.model == model }) else {
                return end(
                    number,
                    .failure(DoorFailure(.unknownModel, "The model `\(model)` does not exist.", parameter: "model")))
            }
            return end(
                number, .failure(DoorFailure(.unavailable, "No tokenizer that can answer is there; retry later.")))
        }
        var unanswered: [SessionRef: Int] = [:]
        for (other, question) in questions where other != number {
            if let session = question.session { unanswered[session, default: 0] += 1 }
        }
        let least = peers.min { unanswered[$0.session, default: 0] < unanswered[$1.session, default: 0] }
        guard let peer = least, unanswered[peer.session, default: 0] < Self.unansweredPerSession else {
            counters.busy += 1
            return end(number, .failure(DoorFailure(.busy, "Too many requests wait; retry later.")))
        }
        put(number, pending, to: peer.session)
    }

    private func put(_ number: UInt64, _ pending: PendingTokens, to session: SessionRef) {
        let body = RequestBody(pending.question.request)
        let now = MonotonicClock.now()
        let tokenize = Tokenize(
            number: number, timeLeft: pending.until > now ? pending.until - now : 1, weight: pending.weight,
            form: body.form, addsSpecialTokens: pending.question.addsSpecialTokens,
            wantsPieces: pending.question.wantsPieces, template: body.template,
            tenant: pending.question.request.tenant, model: body.model, strings: body.strings, tokens: body.tokens)
        do throws(WireError) {
            try tokenize.encode(into: &frame, session: session.session)
        } catch {
            return end(
                number, .failure(DoorFailure(.contextLengthExceeded, "The prompt is too long for the line.")))
        }
        questions[number]?.session = session
        tokenizers.send(&frame, to: session)
    }

    /// A tokenizer has answered.
    func answered(_ frame: Tokenized, from session: SessionRef) {
        guard let pending = questions[frame.number], pending.session == session else { return }
        guard frame.status == .ok else {
            let kind = DoorFailure.Kind(frame.status)
            return end(frame.number, .failure(DoorFailure(kind, String(decoding: frame.text, as: UTF8.self))))
        }
        end(
            frame.number,
            .success(
                DoorTokens(
                    tokens: frame.tokens, ends: frame.ends, text: frame.text,
                    contextLength: frame.contextLength > 0 ? Int(frame.contextLength) : nil)))
    }

    /// The questions of a session that has ended go to another tokenizer.
    func askAgain(_ session: SessionRef) {
        for (number, pending) in questions where pending.session == session {
            guard pending.repeats < Self.maximumRepeats else {
                end(number, .failure(DoorFailure(.unavailable, "Tokenizer after tokenizer was lost; retry later.")))
                continue
            }
            questions[number]?.repeats += 1
            ask(number)
        }
    }

    /// Ends questions that nobody answered in time.
    func endQuestions(_ now: UInt64) {
        for (number, pending) in questions where now >= pending.until {
            end(number, .failure(DoorFailure(.deadlineExceeded, "No tokenizer answered in time.")))
        }
    }

    /// Ends all questions: the ingest goes.
    func giveUpQuestions() {
        for number in Array(questions.keys) {
            end(number, .failure(DoorFailure(.unavailable, "The ingest stops.")))
        }
    }

    private func end(_ number: UInt64, _ result: Result<DoorTokens, DoorFailure>) {
        questions.removeValue(forKey: number)?.answer.resume(returning: result)
    }
}
