import ArgumentParser
import FactoryKit
import Foundation

struct Keygen: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes an API key and prints it once, or the CURVE keys of a whole site.")

    @Option(help: "Whose API key it is.") var tenant = "default"
    @Option(
        help: "Folder for a site's CURVE keys: a secret for each role, and the public keys of all. What is there stays."
    )
    var site: String?
    @Option(help: "With --site: make another key for this role; the old one stays good until its line is taken out.")
    var rotate: String?

    func validate() throws {
        let isName = tenant.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
        guard rotate == nil || (site != nil && SiteKeyMaker.roles.contains(rotate ?? "")) else {
            throw ValidationError("--rotate needs --site and one of: \(SiteKeyMaker.roles.joined(separator: ", ")).")
        }
        guard isName, (1...64).contains(tenant.utf8.count) else {
            throw ValidationError("A tenant is 1 to 64 letters, digits, dots, dashes and underscores.")
        }
    }

    func run() throws {
        if let site {
            let maker = SiteKeyMaker(site: site)
            let made = try maker.perform()
            if let rotate, !made.contains(rotate) { try maker.add(rotate) }
            for role in SiteKeyMaker.roles { say("\(role)  --link-key \(maker.secretPath(of: role))") }
            say("all  --link-keys \(maker.publicFolder)")
            return
        }
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
        let status = try SiblingProgram.run("export-tokenizer", [directory] + (model.map { ["--model", $0] } ?? []))
        guard status == 0 else { throw ExitCode(status) }
    }
}
