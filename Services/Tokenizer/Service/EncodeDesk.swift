import Dispatch
import Line
import Station
import Tokenization
import Wire

/// Does what a tokenizer wants encoded: in a pool of threads, or at once where that costs less than changing threads.
///
/// Belongs to the reactor's thread, but for the answers, which are posted.
final class EncodeDesk: Sendable {
    private let encoder: PromptEncoder
    private let pool: EncodePool
    private let tickets = Tickets()
    /// Looks up the texts of tokens, which takes a while where there are many.
    private let pieceThread = DispatchQueue(label: "token-factory.pieces")

    /// The pool's tickets by the tokenizer's keys. Only touched on the reactor's thread.
    // Sendable without a check: each access is from a command or an answer, both of which run on the reactor's thread.
    private final class Tickets: @unchecked Sendable {
        var byKey: [UInt64: EncodePool.Ticket] = [:]
    }

    /// - Parameters:
    ///   - encoder: Encodes prompts; used on the pool's threads.
    ///   - post: Runs a closure on the reactor's thread.
    init(
        encoder: PromptEncoder, threads: Int, wallSeconds: @escaping @Sendable () -> Int64,
        post: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void
    ) {
        self.encoder = encoder
        pool = EncodePool(
            encoder: encoder, limits: EncodePool.Limits(threads: threads), now: wallSeconds, post: post)
    }

    /// Prompts that wait to be encoded.
    var waitingCount: Int { pool.waitingCount }

    /// Does a command. On the reactor's thread.
    func perform(_ command: TokenizerCommand, for shell: StationShell<Tokenizer>) {
        switch command {
        case .encode(let key, let prompt, let share, let tokenLimit, let affordable):
            if let result = pool.encodeAtOnce(prompt, upTo: affordable) {
                return shell.now { $0.encoded(key, result, now: $1) }
            }
            hold(
                pool.submit(prompt, share: share, tokenLimit: tokenLimit) { [tickets, weak shell] result in
                    tickets.byKey[key] = nil
                    shell?.now { $0.encoded(key, result, now: $1) }
                }, key, shell)
        case .resume(let key, let steps, let byteCount, let share):
            hold(
                pool.submit(steps, byteCount: byteCount, share: share) { [tickets, weak shell] result in
                    tickets.byKey[key] = nil
                    shell?.now { $0.resumed(key, result, now: $1) }
                }, key, shell)
        case .takeBack(let key):
            if let ticket = tickets.byKey.removeValue(forKey: key) { pool.cancel(ticket) }
        case .tokenize(let question, .tokens(let tokens), _): addPieces(to: tokens, for: question, shell)
        case .tokenize(let question, let prompt, let share):
            let ticket = pool.submit(prompt, share: share, tokenLimit: WireLimits.promptTokens) {
                [self, weak shell] result in
                if let shell { answer(question, prompt, result, shell) }
            }
            if ticket == nil { shell.now { $0.answered(question, .full, now: $1) } }
        }
    }

    private func hold(_ ticket: EncodePool.Ticket?, _ key: UInt64, _ shell: StationShell<Tokenizer>) {
        guard let ticket else { return shell.now { $0.encodingIsFull(key, now: $1) } }
        tickets.byKey[key] = ticket
    }

    private func answer(
        _ question: TokenQuestion, _ prompt: Prompt, _ result: Result<[UInt32], PromptError>,
        _ shell: StationShell<Tokenizer>
    ) {
        switch result {
        case .failure(let error): shell.now { $0.answered(question, .failure(error), now: $1) }
        case .success(let tokens):
            let tokens = encoder.withSpecialTokens(question.addsSpecialTokens, tokens, of: prompt)
            guard !question.wantsPieces else { return addPieces(to: tokens, for: question, shell) }
            shell.now { $0.answered(question, .tokens(tokens, PromptEncoder.Pieces()), now: $1) }
        }
    }

    private func addPieces(to tokens: [UInt32], for question: TokenQuestion, _ shell: StationShell<Tokenizer>) {
        pieceThread.async { [encoder, weak shell] in
            let answer: TokenAnswer
            do throws(PromptError) { answer = .tokens(tokens, try encoder.pieces(of: tokens)) } catch {
                answer = .failure(error)
            }
            shell?.post { $0.answered(question, answer, now: $1) }
        }
    }
}
