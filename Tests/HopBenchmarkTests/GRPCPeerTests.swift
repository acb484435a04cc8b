import Foundation
import Testing
import Transport

@testable import HopBenchmark

/// A program that answers rounds as `grpc-bench peer` does, in shell.
private final class FakePeer {
    let path = FileManager.default.temporaryDirectory.path + "/peer-\(UInt32.random(in: 0...UInt32.max)).sh"

    init(_ answer: String) throws {
        let script = """
            #!/bin/sh
            echo $$
            while read -r round; do
              \(answer)
            done
            """
        try script.write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Suite struct GRPCPeerTests {
    private let round = ExchangeRound(.hot, bodyBytes: 64, effort: 1)

    @Test func aRoundIsALineAndSoIsWhatCameOfIt() throws {
        let program = try FakePeer(
            """
            case "$round" in
              *'"kind":"stream"'*) echo '{"samples":[3,4],"elapsed":9,"processor":2}';;
              *) echo '{"samples":[5],"elapsed":7,"processor":1}';;
            esac
            """)
        let peer = try GRPCPeer(program: program.path, socket: nil, cores: nil)
        let stream = try peer.run(.stream, round)
        #expect(stream.samples == [3, 4] && stream.elapsed == 9 && stream.exchanges == 2)
        #expect(stream.perProcessorSecond == 1e9)
        #expect(try peer.run(.unary, round).samples == [5])
        peer.stop()
    }

    @Test func whatIsNoOutcomeIsAnError() throws {
        let nonsense = try FakePeer("echo 'no gRPC today'")
        #expect(throws: BenchError.self) {
            try GRPCPeer(program: nonsense.path, socket: nil, cores: nil).run(.unary, round)
        }
        let gone = try FakePeer("exit 1")
        #expect(throws: BenchError.self) {
            try GRPCPeer(program: gone.path, socket: nil, cores: nil).run(.unary, round)
        }
        #expect(throws: BenchError.self) { try GRPCPeer(program: "/nowhere", socket: nil, cores: nil) }
    }

    @Test func onlyPlainLinksBetweenProcessesHaveGRPC() async throws {
        let program = try FakePeer("exit 1")
        let pair = try await HopPair.open(HopLink(.inproc), folder: "", context: Context(), grpc: program.path)
        #expect(pair.sides == [.floor, .hop])
        await pair.close()
    }

    @Test func coresAreListsOfThisMachines() throws {
        #expect(try CoreSplit.cores("0") == [0])
        #expect(try CoreSplit.cores("4,0-2,2") == [0, 1, 2, 4])
        for text in ["", "a", "2-1", "-1", "1-", "1-2-3", "0,"] {
            #expect(throws: BenchError.self, "\(text)") { try CoreSplit.cores(text) }
        }
        let first = try #require(try CoreSplit.allowed().first)
        #expect(try CoreSplit(callers: "\(first)", peers: "\(first)").peers == [first])
        #expect(throws: BenchError.self) { try CoreSplit(callers: "0", peers: "1023") }
    }

    @Test func aProcessIsHeldToItsCores() throws {
        let first = try #require(try CoreSplit.allowed().first)
        let child = Process()
        child.executableURL = URL(fileURLWithPath: "/bin/cat")
        child.standardInput = Pipe()
        try child.run()
        defer { child.terminate() }
        try CoreSplit.pin(child.processIdentifier, to: [first])
        let status = try String(contentsOfFile: "/proc/\(child.processIdentifier)/status", encoding: .utf8)
        #expect(Machine.field("Cpus_allowed_list", in: status) == "\(first)")
        #expect(throws: BenchError.self) { try CoreSplit.pin(4_194_305, to: [first]) }
    }
}
