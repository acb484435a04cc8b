import Foundation
import Llama

/// A model's tokenizer in Hugging Face's form, for tools that count tokens themselves.
enum TokenizerFolder {
    /// Writes `tokenizer.json` and `tokenizer_config.json`.
    static func write(modelPath: String, to folder: String) throws {
        let export = try TokenizerExport(modelPath: modelPath)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for (name, text) in [("tokenizer.json", export.tokenizer), ("tokenizer_config.json", export.configuration)] {
            try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/" + name), options: .atomic)
        }
    }

    /// The model that set-up makes, or the one that `TOKENFACTORY_MODEL` names.
    static func defaultModel(environment: [String: String]) -> String {
        let cache = environment["TOKENFACTORY_CACHE"] ?? (environment["HOME"] ?? "") + "/.cache/tokenfactory"
        return environment["TOKENFACTORY_MODEL"] ?? cache + "/models/smollm2-135m-instruct-q8_0.gguf"
    }
}
