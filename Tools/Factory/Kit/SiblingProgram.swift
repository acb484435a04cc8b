import Foundation

/// A program that lies beside this one.
public enum SiblingProgram {
    /// The folder in which this program lies.
    public static var folder: String {
        let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(fileURLWithPath: own ?? CommandLine.arguments[0]).deletingLastPathComponent().path
    }

    /// Runs the program with this one's input and output, and waits for its end.
    /// - Returns: its exit status; 128 and the signal's number where a signal ended it.
    public static func run(_ name: String, _ arguments: [String], in folder: String = folder) throws(FactoryError)
        -> Int32
    {
        let path = folder + "/" + name
        guard FileManager.default.isExecutableFile(atPath: path) else { throw .noProgram(path: path) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        do {
            try process.run()
        } catch {
            throw .cannotStart(name: name, reason: error.localizedDescription)
        }
        process.waitUntilExit()
        return process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
    }
}
