import Foundation

/// The prompts of a run, over and over.
public struct PromptSource: Sendable {
    private enum Kind: Sendable {
        case texts([String])
        case random(tokens: Int, seed: UInt64)
    }

    private let kind: Kind

    /// 64 short questions of many kinds.
    public static let builtIn = PromptSource(kind: .texts(builtInPrompts))

    /// Prompts of so many random token ids, each another, the same for the same seed.
    public static func random(tokens: Int, seed: UInt64) -> PromptSource {
        PromptSource(kind: .random(tokens: max(1, tokens), seed: seed))
    }

    private init(kind: Kind) { self.kind = kind }

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
        kind = .texts(prompts)
    }

    private struct Row: Decodable {
        struct Message: Decodable { var content: String }
        var prompt: String?
        var messages: [Message]?
    }

    /// The prompt of a run's request `index`.
    public func prompt(_ index: Int) -> LoadPrompt {
        switch kind {
        case .texts(let texts): return .chat(texts[index % texts.count])
        case .random(let tokens, let seed):
            var generator = SeededGenerator(seed: seed &+ UInt64(index) &* 0x2545_F491_4F6C_DD1D)
            // Ids that every vocabulary has, and above those that models use for control.
            return .tokens((0..<tokens).map { _ in UInt32.random(in: 1000..<16_000, using: &generator) })
        }
    }
}
