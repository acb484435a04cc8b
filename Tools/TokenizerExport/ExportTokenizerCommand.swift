import ArgumentParser
import Foundation
import Release

/// A program of its own, so that `factory`, which starts it, needs no libllama.
@main
struct ExportTokenizerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export-tokenizer",
        abstract: "Writes a model's tokenizer as a Hugging Face directory, for tools that count tokens themselves.",
        version: ProductVersion.text)

    @Argument(help: "Folder to write to.") var directory: String
    @Option(help: "GGUF file; default: TOKENFACTORY_MODEL, or the one that set-up makes.") var model: String?

    func run() throws {
        let path = model ?? TokenizerFolder.defaultModel(environment: ProcessInfo.processInfo.environment)
        try TokenizerFolder.write(modelPath: path, to: directory)
        let text = "\(directory): tokenizer.json, tokenizer_config.json of \(path)\n"
        FileHandle.standardOutput.write(Data(text.utf8))
    }
}
