import Foundation
import Testing

@testable import Settings

@Suite struct SettingsTests {
    struct Example {
        enum Engine: String, CaseIterable { case llama, simulated }

        var door: String
        var slots: Int
        var scale: Double
        var spin: Bool
        var timeout: Duration
        var heartbeat: UInt64
        var limit: Int
        var upstreams: [String]
        var engine: Engine
        var key: Secret?
        var spool: String?

        init(_ reader: inout SettingsReader) {
            door = reader.string("client-door", default: "tcp://127.0.0.1:7001", help: "Where clients connect.")
            slots = reader.int("slots", default: 8, in: 1...4096, help: "Requests at once.")
            scale = reader.double("time-scale", default: 1, in: 0...10, help: "Pace.")
            spin = reader.bool("spin", default: false, help: "Spin before blocking.")
            timeout = reader.duration("timeout", default: .seconds(5), in: .zero ... .seconds(60), help: "Patience.")
            heartbeat = reader.nanoseconds(
                "heartbeat", default: .milliseconds(200), in: .milliseconds(10) ... .seconds(10), help: "Beat.")
            limit = reader.bytes("body-limit", default: 8 << 20, in: 1024...1 << 30, help: "Body.")
            upstreams = reader.list("upstreams", default: ["a:1"], help: "Addresses.")
            engine = reader.choice("engine", default: .llama, help: "Forward pass.")
            key = reader.secret("key", help: "Key.")
            spool = reader.optionalPath("spool", help: "Directory.")
        }
    }

    func load(
        _ arguments: [String] = [], _ environment: [String: String] = [:]
    ) throws -> SettingsLoader.Loaded<Example> {
        let loader = SettingsLoader(
            program: "example", about: "An example.", arguments: ["example"] + arguments, environment: environment)
        let outcome = try loader.load { Example(&$0) }
        guard case .loaded(let loaded) = outcome else { throw Unexpected() }
        return loaded
    }

    struct Unexpected: Error {}

    func problems(_ arguments: [String], _ environment: [String: String] = [:]) -> [String] {
        do throws(SettingsError) {
            let loader = SettingsLoader(
                program: "example", about: "", arguments: ["example"] + arguments, environment: environment)
            _ = try loader.load { Example(&$0) }
            return []
        } catch {
            return error.description.split(separator: "\n").dropLast().map(String.init)
        }
    }

    func withFile<Result>(_ text: String, _ body: (String) throws -> Result) throws -> Result {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("settings-\(UUID().uuidString).json")
        try Data(text.utf8).write(to: url)
        defer { try? FileManager.default.removeItem(at: url) }
        return try body(url.path)
    }

    @Test func defaultsHoldWhereNothingIsGiven() throws {
        let example = try load().settings
        #expect(example.door == "tcp://127.0.0.1:7001")
        #expect(example.slots == 8)
        #expect(example.scale == 1)
        #expect(example.spin == false)
        #expect(example.timeout == .seconds(5))
        #expect(example.heartbeat == 200_000_000)
        #expect(example.limit == 8_388_608)
        #expect(example.upstreams == ["a:1"])
        #expect(example.engine == .llama)
        #expect(example.key == nil)
        #expect(example.spool == nil)
    }

    @Test func flagsOfEveryKindAreRead() throws {
        let example = try load([
            "--client-door", "ipc:///tmp/a,b", "--slots=16", "--time-scale", "0.5", "--spin", "--timeout", "1.5s",
            "--heartbeat", "20ms", "--body-limit", "64KiB", "--upstreams", "b:2,c:3", "--upstreams", "d:4",
            "--engine", "simulated", "--key", "k", "--spool", "/tmp/x",
        ]).settings
        #expect(example.door == "ipc:///tmp/a,b")
        #expect(example.slots == 16)
        #expect(example.scale == 0.5)
        #expect(example.spin)
        #expect(example.timeout == .milliseconds(1500))
        #expect(example.heartbeat == 20_000_000)
        #expect(example.limit == 65536)
        #expect(example.upstreams == ["b:2", "c:3", "d:4"])
        #expect(example.engine == .simulated)
        #expect(example.key?.revealed == "k")
        #expect(example.spool == "/tmp/x")
    }

    @Test func theCommandLineBeatsTheEnvironmentWhichBeatsTheFile() throws {
        let file = #"{"slots": 1, "time-scale": 2, "client-door": "file", "spin": true, "upstreams": ["x:1", "y:2"]}"#
        try withFile(file) { path in
            let loaded = try load(
                ["--slots", "3", "--config", path],
                ["TOKENFACTORY_SLOTS": "2", "TOKENFACTORY_TIME_SCALE": "4", "TOKENFACTORY_OTHER": "ignored"])
            #expect(loaded.settings.slots == 3)
            #expect(loaded.settings.scale == 4)
            #expect(loaded.settings.door == "file")
            #expect(loaded.settings.spin)
            #expect(loaded.settings.upstreams == ["x:1", "y:2"])
            let sources = Dictionary(uniqueKeysWithValues: loaded.effective.map { ($0.name, $0.source) })
            #expect(sources["slots"] == .flag("--slots"))
            #expect(sources["time-scale"] == .environment("TOKENFACTORY_TIME_SCALE"))
            #expect(sources["client-door"] == .file(path))
            #expect(sources["engine"] == .defaultValue)
        }
    }

    @Test func theFileCanBeNamedByTheEnvironment() throws {
        try withFile(#"{"slots": 5, "timeout": "250ms"}"#) { path in
            let example = try load([], ["TOKENFACTORY_CONFIG": path]).settings
            #expect(example.slots == 5)
            #expect(example.timeout == .milliseconds(250))
        }
    }

    @Test func anEmptyEnvironmentVariableCountsAsAbsent() throws {
        #expect(try load([], ["TOKENFACTORY_SLOTS": ""]).settings.slots == 8)
    }

    @Test(arguments: [
        (["--slots", "many"], "example: slots: “many” is not a whole number (from the command line, --slots)"),
        (["--slots", "0"], "example: slots: 0 is not in 1 to 4096 (from the command line, --slots)"),
        (
            ["--slots", "99999999999999999999"],
            "example: slots: “99999999999999999999” is not a whole number"
                + " (from the command line, --slots)"
        ),
        (["--slots"], "example: slots: has no value that can be used (from the command line, --slots)"),
        (["--time-scale", "nan"], "example: time-scale: “nan” is not a number (from the command line, --time-scale)"),
        (["--spin", "perhaps"], "example: spin: “perhaps” is neither true nor false (from the command line, --spin)"),
        (
            ["--timeout", "5"],
            "example: timeout: “5” is not a time span such as 250ms or 5s"
                + " (from the command line, --timeout)"
        ),
        (["--timeout", "2h"], "example: timeout: 2h is not in 0 to 1m (from the command line, --timeout)"),
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
        (["--slot", "4"], "example: --slot: no such setting"),
        (["stray"], "example: stray: not expected here"),
        (["--slots", "4", "stray"], "example: stray: not expected here"),
        (["--slots=4", "stray"], "example: stray: not expected here"),
        (["--slots=4", "--slots=5"], "example: slots: given more than once (from the command line, --slots)"),
    ])
    func wrongFlagsAreRefusedByName(_ arguments: [String], _ expected: String) {
        #expect(problems(arguments).contains(expected), "\(problems(arguments))")
    }

    @Test func wrongEnvironmentAndFileAreRefusedByName() throws {
        #expect(
            problems([], ["TOKENFACTORY_SLOTS": "x"])
                == ["example: slots: “x” is not a whole number (from the environment, TOKENFACTORY_SLOTS)"])
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
        #expect(problems(["--slots", "x", "--engine", "y", "--zzz"]).count == 3)
    }

    @Test func helpListsEverySettingWithItsDefaultAndVariable() throws {
        for flag in ["--help", "-h"] {
            let loader = SettingsLoader(
                program: "example", about: "An example.", arguments: ["example", flag, "--slots", "bad"],
                environment: [:])
            guard case .help(let text) = try loader.load({ Example(&$0) }) else { throw Unexpected() }
            #expect(text.hasPrefix("example: An example."))
            for part in [
                "--client-door <text>", "TOKENFACTORY_CLIENT_DOOR; default: tcp://127.0.0.1:7001", "--spin\n",
                "TOKENFACTORY_SLOTS; default: 8; 1 to 4096", "default: 5s; 0 to 1m", "8MiB; 1KiB to 1GiB",
                "default: llama; one of llama, simulated", "--config <path>", "--help",
            ] { #expect(text.contains(part), "\(part)") }
        }
    }

    @Test func secretsAreNotShown() throws {
        let loaded = try load(["--key", "hunter2"])
        #expect(loaded.effective.first { $0.name == "key" }?.text == "<secret>")
        var dumped = ""
        dump(loaded.settings, to: &dumped)
        #expect(!dumped.contains("hunter2"))
        #expect(!"\(loaded)".contains("hunter2"))
        #expect(!String(reflecting: loaded.settings.key).contains("hunter2"))
        #expect(!problems(["--key", "hunter2", "--key", "hunter2"]).joined().contains("hunter2"))
    }

    @Test func requiredAndParsedSettings() throws {
        struct Bad: Error, CustomStringConvertible { var description: String { "no port" } }
        func outcome(_ arguments: [String]) throws(SettingsError) -> (String, Int)? {
            let loader = SettingsLoader(
                program: "p", about: "", arguments: ["p"] + arguments, environment: [:])
            let outcome = try loader.load { reader in
                let model = reader.requiredPath("model", help: "Model.")
                let port = reader.value("door", default: "h:7", help: "Door.") { text throws -> Int in
                    guard let port = text.split(separator: ":").last.flatMap({ Int($0) }) else { throw Bad() }
                    return port
                }
                if port == 9 { reader.refuse("door", because: "9 discards") }
                return (model, port ?? 0)
            }
            guard case .loaded(let loaded) = outcome else { return nil }
            return loaded.settings
        }
        #expect(try outcome(["--model", "m"])?.1 == 7)
        #expect(throws: SettingsError.self) { try outcome([]) }
        do throws(SettingsError) { _ = try outcome(["--door", "zzz"]) } catch {
            #expect(
                error.problems.map(\.message) == ["required, and given nowhere", "“zzz”: no port"])
        }
        do throws(SettingsError) { _ = try outcome(["--model", "m", "--door", "h:9"]) } catch {
            #expect(error.problems.map(\.message) == ["9 discards"])
            #expect(error.problems.first?.source == .flag("--door"))
        }
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
