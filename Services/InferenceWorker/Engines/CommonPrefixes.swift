import Foundation
public import Llama

/// The beginnings of prompts that an operator lets all tenants share, such as a product's system prompt: a JSON array
/// whose members are texts, as the chat template writes them and with its markup, or arrays of token ids.
public enum CommonPrefixes {
    /// Why a file of them cannot be used.
    public enum Refusal: Error, CustomStringConvertible, Sendable {
        case unreadable(path: String, reason: String)
        case notAList(path: String, reason: String)
        case tooMany(path: String, count: Int)
        case unknownToken(path: String, entry: Int, token: UInt32)
        case cannotTokenize(path: String, entry: Int)

        public var description: String {
            switch self {
            case .unreadable(let path, let reason): "common-prefixes: cannot read \(path): \(reason)"
            case .notAList(let path, let reason):
                "common-prefixes: \(path) is not a JSON array of texts and of arrays of token ids: \(reason)"
            case .tooMany(let path, let count):
                "common-prefixes: \(path) has \(count) entries; \(CommonPrefixes.limit) are the most"
            case .unknownToken(let path, let entry, let token):
                "common-prefixes: entry \(entry) of \(path) has the token \(token), which the model does not know"
            case .cannotTokenize(let path, let entry):
                "common-prefixes: entry \(entry) of \(path) cannot be tokenized"
            }
        }
    }

    private enum Entry: Decodable {
        case text(String)
        case tokens([UInt32])

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let text = try? value.decode(String.self) {
                self = .text(text)
            } else {
                self = .tokens(try value.decode([UInt32].self))
            }
        }
    }

    /// Each prompt is compared with each of them.
    public static let limit = 256

    /// The file's prefixes as token ids, in its order.
    public static func read(_ path: String, vocabulary: Vocabulary) throws(Refusal) -> [[UInt32]] {
        let data: Data
        do { data = try Data(contentsOf: URL(fileURLWithPath: path)) } catch {
            throw .unreadable(path: path, reason: error.localizedDescription)
        }
        let entries: [Entry]
        do { entries = try JSONDecoder().decode([Entry].self, from: data) } catch {
            throw .notAList(path: path, reason: "\(error)")
        }
        guard entries.count <= limit else { throw .tooMany(path: path, count: entries.count) }
        var prefixes: [[UInt32]] = []
        for (index, entry) in entries.enumerated() {
            switch entry {
            case .tokens(let tokens):
                if let token = tokens.first(where: { $0 >= vocabulary.count }) {
                    throw .unknownToken(path: path, entry: index, token: token)
                }
                prefixes.append(tokens)
            case .text(let text):
                var tokens: [UInt32] = []
                do throws(LlamaError) {
                    try vocabulary.tokenize(
                        Array(text.utf8).span, parseSpecial: true, addSpecial: false, into: &tokens)
                } catch { throw .cannotTokenize(path: path, entry: index) }
                prefixes.append(tokens)
            }
        }
        return prefixes
    }
}
