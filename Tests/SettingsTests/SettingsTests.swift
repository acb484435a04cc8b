import ArgumentParser
import Foundation
import Testing

@testable import Settings

@Suite struct SettingsTests {
    enum Engine: String, CaseIterable { case llama, simulated }

    struct Example: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "example", abstract: "An example.", version: "1.2.3")

        @OptionGroup var file: SettingsFile
        @Option("client-door", default: "tcp://127.0.0.1:7001", help: "Where clients connect.") var door: String
        @Option("slots", default: 8, in: 1...4096, help: "Requests at once.") var slots: Int
        @Option("time-scale", default: 1, in: 0...10, help: "Pace.") var scale: Double
        @Flag("spin", help: "Spin before blocking.") var spin: Bool
        @Option("heartbeat", default: .milliseconds(200), in: .zero ... .seconds(60), help: "Beat.")
        var heartbeat: UInt64
        @Option("body-limit", bytes: 8 << 20, in: 1024...1 << 30, help: "Body.") var limit: Int
        @Option("upstreams", default: ["a:1"], help: "Addresses.", parse: { $0 }) var upstreams: [[String]]
        @Option("engine", default: .llama, help: "Forward pass.") var engine: Engine
        @Option("spool", as: "path", help: "Directory.") var spool: String?
        @Option("name", default: Program.name, help: "Name.") var name: String
        @Option(
            setting: "port", default: 7, shown: "h:7", as: "address", help: "Door.",
            parse: {
                guard let port = $0.split(separator: ":").last.flatMap({ Int($0) }) else { throw NoPort() }
                return port
            })
        var port: Int
    }

    struct NoPort: Error, CustomStringConvertible { var description: String { "no port" } }

    func load(_ arguments: [String] = [], _ environment: [String: String] = [:]) throws -> Example {
        try Example.load(arguments: arguments, environment: environment)
    }

    /// What is wrong with such settings, a line for each.
    func problems(_ arguments: [String], _ environment: [String: String] = [:]) -> [String] {
        do {
            _ = try load(arguments, environment)
            return []
        } catch let error as SettingsError {
            return error.text(program: "example").split(separator: "\n").dropLast().map(String.init)
        } catch {
            #expect(Example.exitCode(for: error).rawValue == SettingsError.exitStatus)
            return [Example.fullMessage(for: error)]
        }
    }

    func withFile<Result>(_ text: String, _ body: (String) throws -> Result) throws -> Result {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("settings-\(UUID().uuidString).json")
        try Data(text.utf8).write(to: url)
        defer { try? FileManager.default.removeItem(at: url) }
        return try body(url.path)
    }

    @Test func defaultsHoldWhereNothingIsGiven() throws {
        let example = try load()
        #expect(example.door == "tcp://127.0.0.1:7001")
        #expect(example.slots == 8)
        #expect(example.scale == 1)
        #expect(example.spin == false)
        #expect(example.heartbeat == 200_000_000)
        #expect(example.limit == 8_388_608)
        #expect(example.upstreams == [["a:1"]])
        #expect(example.engine == .llama)
        #expect(example.spool == nil)
        #expect(example.name == "example")
        #expect(example.port == 7)
    }

    @Test func flagsOfEveryKindAreRead() throws {
        let example = try load([
            "--client-door", "ipc:///tmp/a,b", "--slots=16", "--time-scale", "0.5", "--spin",
            "--heartbeat", "1.5s", "--body-limit", "64KiB", "--upstreams", "b:2, c:3", "--upstreams", "d:4",
            "--engine", "simulated", "--spool", "/tmp/x", "--port", "h:9",
        ])
        #expect(example.door == "ipc:///tmp/a,b")
        #expect(example.slots == 16)
        #expect(example.scale == 0.5)
        #expect(example.spin)
        #expect(example.heartbeat == 1_500_000_000)
        #expect(example.limit == 65536)
        #expect(example.upstreams.flatMap(\.self) == ["b:2", "c:3", "d:4"])
        #expect(example.engine == .simulated)
        #expect(example.spool == "/tmp/x")
        #expect(example.port == 9)
        #expect(try load(["--upstreams", "b:2", "c:3"]).upstreams.flatMap(\.self) == ["b:2", "c:3"])
    }

    @Test func theCommandLineBeatsTheEnvironmentWhichBeatsTheFile() throws {
        let file = #"{"slots": 1, "time-scale": 2, "client-door": "file", "spin": true, "upstreams": ["x:1", "y:2"]}"#
        try withFile(file) { path in
            let environment = [
                "TOKENFACTORY_SLOTS": "2", "TOKENFACTORY_TIME_SCALE": "4", "TOKENFACTORY_OTHER": "ignored",
            ]
            for arguments in [["--slots", "3", "--config", path], ["--config=\(path)", "--slots=3"]] {
                let example = try load(arguments, environment)
                #expect(example.slots == 3)
                #expect(example.scale == 4)
                #expect(example.door == "file")
                #expect(example.spin)
                #expect(example.upstreams == [["x:1", "y:2"]])
                #expect(example.engine == .llama)
            }
            let example = try load(
                ["--config", path, "--no-spin", "--upstreams", "z:1"], ["TOKENFACTORY_UPSTREAMS": "e:1,e:2"])
            #expect(!example.spin)
            #expect(example.upstreams == [["z:1"]])
        }
    }

    @Test func aGoodFlagStandsForABadVariable() throws {
        #expect(try load(["--slots", "3"], ["TOKENFACTORY_SLOTS": "x"]).slots == 3)
        #expect(
            try load(["--slots=3", "--no-spin"], ["TOKENFACTORY_SLOTS": "x", "TOKENFACTORY_SPIN": "x"]).slots == 3)
        #expect(problems(["--slots", "y"], ["TOKENFACTORY_SLOTS": "x"]).count == 1)
    }

    @Test func theFileCanBeNamedByTheEnvironment() throws {
        try withFile(#"{"slots": 5, "heartbeat": "250ms"}"#) { path in
            let example = try load([], ["TOKENFACTORY_CONFIG": path])
            #expect(example.slots == 5)
            #expect(example.heartbeat == 250_000_000)
        }
    }

    @Test func anEmptyEnvironmentVariableCountsAsAbsent() throws {
        #expect(try load([], ["TOKENFACTORY_SLOTS": ""]).slots == 8)
    }

    @Test(arguments: [
        (["--slots", "many"], "example: slots: “many” is not a whole number (from the command line, --slots)"),
        (["--slots", "0"], "example: slots: 0 is not in 1 to 4096 (from the command line, --slots)"),
        (
            ["--slots", "99999999999999999999"],
            "example: slots: “99999999999999999999” is not a whole number"
                + " (from the command line, --slots)"
        ),
        (["--time-scale", "nan"], "example: time-scale: “nan” is not a number (from the command line, --time-scale)"),
        (
            ["--heartbeat", "5"],
            "example: heartbeat: “5” is not a time span such as 250ms or 5s (from the command line, --heartbeat)"
        ),
        (
            ["--heartbeat", "2h"],
            "example: heartbeat: 2h is not in 0 to 1m (from the command line, --heartbeat)"
        ),
        (["--port", "zzz"], "example: port: “zzz”: no port (from the command line, --port)"),
        (
            ["--body-limit", "1000"],
            "example: body-limit: 1000 is not in 1KiB to 1GiB"
                + " (from the command line, --body-limit)"
        ),
        (
            ["--engine", "steam"],
            "example: engine: “steam” is none of llama, simulated"
                + " (from the command line, --engine)"
        ),
        (["--slots=4", "--slots=5"], "example: slots: given more than once (from the command line, --slots)"),
    ])
    func wrongFlagsAreRefusedByName(_ arguments: [String], _ expected: String) {
        #expect(problems(arguments).contains(expected), "\(problems(arguments))")
    }

    /// What is wrong with the command line itself is said by swift-argument-parser, with status 64 as well.
    @Test(arguments: [
        (["--slots"], "Missing value for '--slots <number>'"),
        (["--slot", "4"], "Unknown option '--slot'"),
        (["stray"], "Unexpected argument 'stray'"),
        (["--slots", "4", "stray"], "Unexpected argument 'stray'"),
        (["--slots=4", "stray"], "Unexpected argument 'stray'"),
        (["--spin=perhaps"], "perhaps"),
    ])
    func wrongCommandLinesAreRefused(_ arguments: [String], _ expected: String) {
        let told = problems(arguments)
        #expect(told.count == 1 && told[0].contains(expected), "\(told)")
    }

    @Test func wrongEnvironmentAndFileAreRefusedByName() throws {
        #expect(
            problems([], ["TOKENFACTORY_SLOTS": "x"])
                == ["example: slots: “x” is not a whole number (from the environment, TOKENFACTORY_SLOTS)"])
        #expect(
            problems([], ["TOKENFACTORY_SPIN": "perhaps"])
                == ["example: spin: “perhaps” is neither true nor false (from the environment, TOKENFACTORY_SPIN)"])
        try withFile(#"{"slots": "x", "slotz": 1, "engine": {"a": 1}}"#) { path in
            #expect(
                problems(["--config", path]) == [
                    "example: slotz: no such setting (from the file \(path))",
                    "example: slots: “x” is not a whole number (from the file \(path))",
                    "example: engine: has no value that can be used (from the file \(path))",
                ])
        }
        for text in ["[1]", "{", ""] {
            try withFile(text) { path in
                #expect(problems(["--config", path]).first?.contains("cannot use the file") == true)
            }
        }
        #expect(problems(["--config", "/nonexistent"]).first?.contains("cannot use the file") == true)
    }

    @Test func everyProblemIsToldAtOnce() {
        #expect(problems(["--slots", "x", "--engine", "y", "--zzz"], ["TOKENFACTORY_SPIN": "z"]).count == 4)
    }

    @Test(arguments: ["--help", "-h"])
    func helpListsEverySettingWithItsDefaultAndVariable(_ flag: String) {
        let environment = ["TOKENFACTORY_SPIN": "true", "TOKENFACTORY_SLOTS": "bad", "TOKENFACTORY_CONFIG": "/none"]
        do {
            _ = try load(["--config", "/none", flag], environment)
            Issue.record("help was not shown")
        } catch {
            #expect(Example.exitCode(for: error) == .success)
            let text = Example.fullMessage(for: error).split(whereSeparator: \.isWhitespace).joined(separator: " ")
            for part in [
                "An example.", "--client-door <text>", "[TOKENFACTORY_CLIENT_DOOR; default: tcp://127.0.0.1:7001]",
                "--spin/--no-spin", "(default: --no-spin)", "[TOKENFACTORY_SLOTS; default: 8; 1 to 4096]",
                "default: 200ms; 0 to 1m",
                "8MiB; 1KiB to 1GiB", "default: llama; one of llama, simulated", "--config <path>", "--help",
            ] { #expect(text.contains(part), "\(part) in \(text)") }
        }
    }

    @Test func theVersionIsTold() {
        do {
            _ = try load(["--version"], ["TOKENFACTORY_SLOTS": "bad"])
            Issue.record("the version was not shown")
        } catch {
            #expect(Example.exitCode(for: error) == .success && Example.fullMessage(for: error) == "1.2.3")
        }
    }

    @Test func whatOnlyTheUseOfASettingShowsIsToldWithItsName() {
        #expect(throws: SettingsError("keys", "no port")) { try SettingsError.naming("keys") { throw NoPort() } }
        #expect(
            SettingsError("keys", "no port").text(program: "p") == "p: keys: no port\np: --help lists the settings")
    }

    @Test func unitsReadAndWrite() {
        #expect(Units.duration("10us") == .microseconds(10))
        #expect(Units.duration("0") == .zero)
        #expect(Units.duration("1 s") == .seconds(1))
        for bad in ["", "s", "-1s", "1e99s", "1.2.3s", "5 parsecs", "∞s"] {
            #expect(Units.duration(bad) == nil, "\(bad)")
        }
        #expect(Units.bytes("1.5GB") == 1_500_000_000)
        for bad in ["", "KiB", "1e30TiB", "9999999999999TiB"] { #expect(Units.bytes(bad) == nil, "\(bad)") }
        for duration in [.zero, .nanoseconds(7), .microseconds(3), .milliseconds(1500), .seconds(90), .seconds(7200)]
            as [Duration]
        {
            #expect(Units.duration(Units.text(duration)) == duration)
        }
        for bytes in [0, 1, 1023, 1024, 3 << 20, 5 << 40] { #expect(Units.bytes(Units.text(bytes: bytes)) == bytes) }
    }
}
