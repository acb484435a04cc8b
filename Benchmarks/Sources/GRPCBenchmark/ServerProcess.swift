import Foundation
import Transport

/// The other process, as its parent sees it. Ends when the parent does, whose end closes its input.
final class ServerProcess {
    private(set) var port = 0
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var rest = Data()

    /// Its process id.
    var pid: Int32 { process.processIdentifier }

    /// Starts this executable again and waits until it serves.
    ///
    /// - Parameters:
    ///   - line: an endpoint that it dials over the line as well, or nil.
    ///   - socket: the path of a Unix socket where it serves, instead of a TCP port.
    init(line: Endpoint? = nil, socket: String? = nil) throws {
        let path = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments =
            ["serve"] + (line.map { ["--line", $0.description] } ?? []) + (socket.map { ["--socket", $0] } ?? [])
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        guard let port = Int(try nextLine()) else { throw PeerError.server("told no port") }
        self.port = port
    }

    /// Processor time that it has used, in nanoseconds.
    func processorTime() throws -> UInt64 {
        try input.fileHandleForWriting.write(contentsOf: Data("\n".utf8))
        guard let time = UInt64(try nextLine()) else {
            throw PeerError.server("told no processor time")
        }
        return time
    }

    func stop() {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    private func nextLine() throws -> String {
        while true {
            if let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                defer { rest = Data(rest[(end + 1)...]) }
                return String(decoding: rest[..<end], as: UTF8.self)
            }
            let more = output.fileHandleForReading.availableData
            if more.isEmpty { throw PeerError.server("has ended") }
            rest += more
        }
    }
}
