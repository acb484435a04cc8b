import Foundation
import Glibc

/// A process of ours that ends when this one does: its standard input is a pipe that only this process holds.
final class ChildProcess {
    private let process = Process()
    private let input = Pipe()
    private let outlet = Pipe()
    private var pending: [UInt8] = []

    var pid: Int32 { process.processIdentifier }
    var isRunning: Bool { process.isRunning }

    /// Starts a program's hidden command `peer` with these arguments.
    ///
    /// - Parameters:
    ///   - program: this one, or another that has such a command.
    ///   - log: a file for what it says on standard output and error; nil leaves standard output to `line()`.
    init(
        program: String = ChildProcess.ownProgram, peer arguments: [String], log: FileHandle? = nil
    ) throws(BenchError) {
        // What is told to a process that has ended is an error here, not this one's end.
        _ = signal(SIGPIPE, SIG_IGN)
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["peer"] + arguments
        process.standardInput = input
        process.standardOutput = log ?? outlet
        if let log { process.standardError = log }
        do {
            try process.run()
        } catch {
            throw .process("cannot start \(arguments): \(error.localizedDescription)")
        }
    }

    deinit { stop() }

    /// The next line that it prints; blocks.
    ///
    /// - Parameter seconds: the longest silence; nil waits for ever.
    func line(within seconds: Int32? = nil) throws(BenchError) -> String {
        while true {
            if let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                defer { pending.removeSubrange(...end) }
                return String(decoding: pending[..<end], as: UTF8.self)
            }
            if let seconds {
                var wait = pollfd(fd: outlet.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
                guard unsafe poll(&wait, 1, seconds * 1000) != 0 else {
                    throw .process("\(process.arguments ?? []) said nothing for \(seconds) s")
                }
            }
            let more = outlet.fileHandleForReading.availableData
            guard !more.isEmpty else { throw .process("\(process.arguments ?? []) said nothing and ended") }
            pending += more
        }
    }

    /// All that it still prints; blocks until it has ended.
    func output() -> String {
        var bytes = pending
        pending = []
        while true {
            let more = outlet.fileHandleForReading.availableData
            if more.isEmpty { break }
            bytes += more
        }
        process.waitUntilExit()
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The exit status; only when it has ended.
    var status: Int32 { process.terminationStatus }

    /// Gives it a line to read.
    func tell(_ line: String) throws(BenchError) {
        do {
            try input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
        } catch {
            throw .process("\(process.arguments ?? []) does not read: \(error.localizedDescription)")
        }
    }

    /// Ends its input, and with that the process, soon.
    func end() { try? input.fileHandleForWriting.close() }

    /// Ends it, and waits until it has ended.
    func stop() {
        end()
        if process.isRunning { process.waitUntilExit() }
    }

    /// Where this program lies.
    static var ownProgram: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    }
}
