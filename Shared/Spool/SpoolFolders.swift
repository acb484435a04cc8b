import Foundation
import Wire

/// Where the spools of several roles lie under one directory: each role's in a folder of its own, which only the role's
/// user may enter. Older stations kept theirs in the directory itself.
public enum SpoolFolders {
    /// The directory and the folders in it that may be entered.
    public static func all(in directory: String) -> [String] {
        let folders = StationRole.allCases.map { directory + "/" + $0.folderName }
        return [directory] + folders.filter { FileManager.default.isReadableFile(atPath: $0) }
    }
}
