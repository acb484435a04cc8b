public import Charts
import Foundation

/// Writes reports for programs and for browsers.
public enum ReportFile {
    /// Pretty-printed JSON, keys sorted; `-` is standard output.
    public static func write(json report: some Encodable, to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let data = try encoder.encode(report) + Data("\n".utf8)
        if path == "-" {
            FileHandle.standardOutput.write(data)
        } else {
            try data.write(to: URL(fileURLWithPath: path))
        }
    }

    /// A page that stands alone.
    public static func write(html page: Page, to path: String) throws {
        try Data(page.html().utf8).write(to: URL(fileURLWithPath: path))
    }
}
