import ArgumentParser
import FactoryKit
import Foundation

struct Keygen: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes a CURVE key pair and an API key, and prints them once.")

    @Option(help: "Whose API key it is.") var tenant = "default"

    func validate() throws {
        let isName = tenant.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
        guard isName, (1...64).contains(tenant.utf8.count) else {
            throw ValidationError("A tenant is 1 to 64 letters, digits, dots, dashes and underscores.")
        }
    }

    func run() throws {
        let keys = try KeyMaker(tenant: tenant)
        say("curve-public  \(keys.curvePublicKey)")
        say("curve-secret  \(keys.curveSecretKey)")
        say("api-key       \(keys.apiKey)")
        say("keys-line     \(keys.keysLine)")
    }
}

struct ExportTokenizer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export-tokenizer",
        abstract: "Writes a model's tokenizer as a Hugging Face directory, for tools that count tokens themselves.")

    @Argument(help: "Folder to write to.") var directory: String
    @Option(help: "GGUF file; default: TOKENFACTORY_MODEL, or the one that set-up makes.") var model: String?

    func run() throws {
        let path = model ?? TokenizerFolder.defaultModel(environment: ProcessInfo.processInfo.environment)
        try TokenizerFolder.write(modelPath: path, to: directory)
        say("\(directory): tokenizer.json, tokenizer_config.json of \(path)")
    }
}
