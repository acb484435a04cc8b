import CFloor
import Foundation

/// The processes that a benchmark starts: this program again, under a hidden command. They end with their parent.
public enum PeerCommand {
    /// Where this program lies.
    public static var ownProgram: String { ChildProcess.ownProgram }

    /// - Parameter arguments: the peer's kind and what it needs.
    /// - Returns: the exit status, once there is nothing more to do.
    public static func perform(_ arguments: [String]) async throws -> Int32 {
        let kind = arguments.first ?? ""
        let rest = Array(arguments.dropFirst())
        switch (kind, rest.count) {
        case ("keep", 1...): return keep(rest)
        case ("sweep", 1): try ScratchFolder.sweep(rest[0]) { say("ready") }
        case ("proxy", 2):
            guard let port = UInt16(rest[1]) else { throw BenchError.usage("no port: \(rest[1])") }
            try check(unsafe cf_proxy(rest[0], port) { PeerCommand.say("\($0)") })
        case ("floor", 1):
            try check(cf_die_with_stdin())
            try check(unsafe cf_echo(rest[0], nil, nil, nil))
        case ("floor", 4):
            try check(cf_die_with_stdin())
            try check(unsafe cf_echo(rest[0], rest[1], rest[2], rest[3]))
        case ("relay", 0):
            try check(cf_die_with_stdin())
            try check(unsafe cf_relay(nil, nil, nil) { unsafe PeerCommand.say($0) })
        case ("relay", 1):
            try check(cf_die_with_stdin())
            try check(unsafe cf_relay(rest[0], nil, nil) { unsafe PeerCommand.say($0) })
        case ("relay", 2):
            try check(cf_die_with_stdin())
            try check(unsafe cf_relay(nil, rest[0], rest[1]) { unsafe PeerCommand.say($0) })
        case ("relay", 3):
            try check(cf_die_with_stdin())
            try check(unsafe cf_relay(rest[2], rest[0], rest[1]) { unsafe PeerCommand.say($0) })
        case ("hop", 1), ("hop", 3):
            try check(cf_die_with_stdin())
            let peer = try HopPeer.dial(
                rest[0], server: rest.count > 1 ? rest[1] : nil, secret: rest.count > 2 ? rest[2] : nil)
            await peer.start()
            while true { try await Task.sleep(for: .seconds(3600)) }
        default: throw BenchError.usage("no such peer: \(arguments)")
        }
        return 0
    }

    private static func check(_ result: Int32) throws(BenchError) {
        guard result == 0 else { throw .floorFailed() }
    }

    private static func keep(_ arguments: [String]) -> Int32 {
        var pointers = unsafe arguments.map { unsafe strdup($0) }
        unsafe pointers.append(nil)
        return unsafe cf_keep(&pointers)
    }

    private static func say(_ text: UnsafePointer<CChar>?) {
        if let text = unsafe text { say(unsafe String(cString: text)) }
    }

    private static func say(_ text: String) { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }
}
