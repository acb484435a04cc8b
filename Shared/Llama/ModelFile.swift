import Foundation

/// The model that set-up prepares.
public enum ModelFile {
    /// The name under which it is served.
    public static let standardName = "smollm2-135m-instruct"

    /// Where `scripts/setup.sh` puts it.
    public static var standardPath: String {
        let environment = ProcessInfo.processInfo.environment
        let cache = environment["TOKENFACTORY_CACHE"] ?? (environment["HOME"] ?? "") + "/.cache/tokenfactory"
        return cache + "/models/smollm2-135m-instruct-q8_0.gguf"
    }
}
