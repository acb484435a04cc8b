import Foundation
public import Wire

/// Where the spools of several roles lie under one directory: each role's in a folder of its own, which only the role's
/// user may enter. Older stations kept theirs in the directory itself.
public enum SpoolFolders {
    /// The folder of a role, as seen from the directory.
    public static func name(of role: StationRole) -> String {
        switch role {
        case .ingest: "ingest"
        case .tokenizer: "tokenizer"
        case .inferenceWorker: "inference-worker"
        case .accounting: "accounting"
        case .client: "client"
        }
    }

    /// The directory and the folders in it that may be entered.
    public static func all(in directory: String) -> [String] {
        let folders = StationRole.allCases.map { directory + "/" + name(of: $0) }
        return [directory] + folders.filter { FileManager.default.isReadableFile(atPath: $0) }
    }
}
