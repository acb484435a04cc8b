import Foundation

/// The prompts of a run, over and over.
public struct PromptSource: Sendable {
    private enum Kind: Sendable {
        case texts([String])
        case random(RandomPrompts)
        case trace(TracePrompts)
    }

    private let kind: Kind
    /// Ask for completions of texts instead of chats.
    private let completes: Bool

    /// 64 short questions of many kinds.
    public static let builtIn = PromptSource(kind: .texts(builtInPrompts))

    /// Prompts of so many random token ids, each another, the same for the same seed.
    public static func random(tokens: Int, seed: UInt64) -> PromptSource {
        random(RandomPrompts(lengths: .fixed(max(1, tokens)), seed: seed))
    }

    /// Prompts of random tokens.
    public static func random(_ prompts: RandomPrompts) -> PromptSource { PromptSource(kind: .random(prompts)) }

    /// Prompts as long as a trace's, with its shared prefixes.
    public static func trace(_ trace: Trace, form: RandomPrompts.Form = .ids, seed: UInt64) -> PromptSource {
        PromptSource(kind: .trace(TracePrompts(trace: trace, form: form, seed: seed)))
    }

    private init(kind: Kind, completes: Bool = false) {
        self.kind = kind
        self.completes = completes
    }

    /// Reads a file. Lines of JSON objects are JSONL: their `prompt`, or the last of their `messages`. Of any other
    /// file each line is a prompt.
    public init(path: String) throws(LoadError) {
        let content: String
        do {
            content = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw .badPrompts(path: path, reason: "cannot be read: \(error.localizedDescription)")
        }
        var prompts: [String] = []
        let lines = content.split(whereSeparator: \.isNewline)
        let isJSON = lines.first?.hasPrefix("{") ?? false
        for (number, line) in lines.enumerated() where !line.allSatisfy(\.isWhitespace) {
            guard isJSON else {
                prompts.append(String(line))
                continue
            }
            guard let row = try? JSONDecoder().decode(Row.self, from: Data(line.utf8)),
                let prompt = row.prompt ?? row.messages?.last?.content
            else { throw .badPrompts(path: path, reason: "line \(number + 1) has neither `prompt` nor `messages`") }
            prompts.append(prompt)
        }
        guard !prompts.isEmpty else { throw .badPrompts(path: path, reason: "has no prompts") }
        self.init(kind: .texts(prompts))
    }

    private struct Row: Decodable {
        struct Message: Decodable { var content: String }
        var prompt: String?
        var messages: [Message]?
    }

    /// The same prompts, texts among them as completions instead of chats.
    public func completing() -> PromptSource { PromptSource(kind: kind, completes: true) }

    /// The prompt of a run's request `index`.
    public func prompt(_ index: Int) -> LoadPrompt {
        switch kind {
        case .texts(let texts):
            let text = texts[index % texts.count]
            return completes ? .text(text) : .chat(text)
        case .random(let prompts): return prompts.prompt(index)
        case .trace(let prompts): return prompts.prompt(index)
        }
    }

    /// Tokens that the answer of request `index` is to have; nil: the prompts do not say.
    func answerTokens(_ index: Int) -> Int? {
        if case .trace(let prompts) = kind { prompts.answerTokens(index) } else { nil }
    }
}
