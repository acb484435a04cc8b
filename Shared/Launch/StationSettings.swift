public import AdminDoor
public import ArgumentParser
public import Line
public import Settings
public import Spool
public import Transport
public import Wire

/// The settings that every station has.
public struct StationSettings: ParsableArguments, Sendable {
    @OptionGroup var file: SettingsFile
    @Option("name", default: Program.name, help: "Instance name, in logs and in the ledger.")
    public var name: String
    @OptionGroup public var log: LogSettings
    @Option(
        "spool-directory", default: ".run/spool", as: "path",
        help: "Directory of ledger events on their way, in a folder for each role; durable.")
    public var spoolDirectory: String
    @Option(
        "spool-segment", bytes: 4 << 20, in: (64 << 10)...(1 << 30),
        help: "Size of the spool's files; the next one is allocated before it is needed.")
    var spoolSegment: Int
    @Option("ports-file", as: "path", help: "File to write the actual addresses to, once they are served.")
    public var portsFile: String?
    /// Seconds that a station has to finish what it holds once it is told to stop.
    @Option(
        "drain-seconds", default: 25, in: 0...3600,
        help: "After SIGTERM: how long to finish what is held; the rest is handed back.")
    public var drainSeconds: Double
    @Option(
        "spin-microseconds", default: 0, in: 0...100_000,
        help: "How long the loop looks for work before it sleeps: lower latency for a busy core.")
    public var spinMicroseconds: Int
    @Option(
        "pending-events", default: 100_000, in: 1...1_000_000_000,
        help: "Ledger events that may wait for accounting before /healthz says so.")
    var mostPendingEvents: Int
    @OptionGroup(title: "Links") public var links: LinkProtection.Options
    @Option(
        "heartbeat", default: .milliseconds(250), in: .milliseconds(10)...Duration.seconds(60),
        help: "How often the station above sends a heartbeat.")
    var heartbeat: UInt64
    @Option(
        "silence", default: .seconds(5), in: .milliseconds(100)...Duration.seconds(600),
        help: "Silence after which a peer counts as dead.")
    var silence: UInt64
    @Option(
        "step-age", default: .seconds(30), in: .milliseconds(100)...Duration.seconds(3600),
        help: "Age of an engine's last step, while it holds work, after which its worker counts as hung.")
    var stepAge: UInt64
    @Option(
        "protocol-version", default: Int(ProtocolVersion.current),
        in: Int(ProtocolVersion.minimum)...Int(ProtocolVersion.current),
        help: "The highest version of the wire format to speak; each session takes the lower one of both sides.")
    var protocolVersion: Int

    public init() {}
}

extension StationSettings {
    public var spool: SpoolSettings {
        var settings = SpoolSettings()
        settings.segmentBytes = spoolSegment
        settings.keptBytes = spoolSegment / 4
        return settings
    }

    public var line: LineSettings {
        var settings = LineSettings()
        settings.heartbeatInterval = heartbeat
        settings.silenceLimit = silence
        settings.stepAgeLimit = stepAge
        settings.highestVersion = UInt8(clamping: protocolVersion)
        return settings
    }

    /// Ledger events that may wait for accounting before the station says that it is not well.
    public var pendingEvents: UInt64 { UInt64(clamping: mostPendingEvents) }

    /// Where the stations of a role keep their spools: a folder that only their user may enter.
    public func spools(of role: StationRole) -> String { spoolDirectory + "/" + role.folderName }
}

extension Option where Value == Endpoint {
    /// An address such as `tcp://127.0.0.1:7700`.
    public init(_ name: String, port: UInt16, help: String) {
        let fallback = Endpoint.tcp(host: "127.0.0.1", port: port)
        self.init(setting: name, default: fallback, shown: "\(fallback)", as: "address", help: help) {
            try Endpoint($0)
        }
    }
}

extension Option where Value == [[Endpoint]] {
    /// A list of addresses.
    public init(_ name: String, port: UInt16, help: String) {
        self.init(name, default: [.tcp(host: "127.0.0.1", port: port)], help: help) { try Endpoint($0) }
    }
}

extension Option where Value == DoorAddress {
    /// Where an HTTP door listens, such as `127.0.0.1:8080`.
    public init(_ name: String, port: Int, help: String) {
        let fallback = DoorAddress(host: "127.0.0.1", port: port)
        self.init(setting: name, default: fallback, shown: "\(fallback)", as: "address", help: help) {
            try DoorAddress(parsing: $0)
        }
    }
}
