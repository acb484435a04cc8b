public import Line
public import Settings
public import Spool
public import Transport
public import Wire

/// The settings that every station has.
public struct StationSettings: Sendable {
    public var name: String
    public var log: LogSettings
    public var spoolDirectory: String
    public var spool = SpoolSettings()
    public var portsFile: String?
    /// Seconds that a station has to finish what it holds once it is told to stop.
    public var drainSeconds: Double
    public var spinMicroseconds: Int
    /// Ledger events that may wait for accounting before the station says that it is not well.
    public var pendingEvents: UInt64
    public var line: LineSettings
    public var links: LinkProtection

    /// - Parameter program: The default name.
    public init(_ reader: inout SettingsReader, program: String) {
        name = reader.string("name", default: program, help: "Instance name, in logs and in the ledger.")
        log = LogSettings(&reader)
        spoolDirectory = reader.path(
            "spool-directory", default: ".run/spool",
            help: "Directory of ledger events on their way, in a folder for each role; durable.")
        spool.segmentBytes = reader.bytes(
            "spool-segment", default: 4 << 20, in: (64 << 10)...(1 << 30),
            help: "Size of the spool's files; the next one is allocated before it is needed.")
        spool.keptBytes = spool.segmentBytes / 4
        portsFile = reader.optionalPath(
            "ports-file", help: "File to write the actual addresses to, once they are served.")
        drainSeconds = reader.double(
            "drain-seconds", default: 25, in: 0...3600,
            help: "After SIGTERM: how long to finish what is held; the rest is handed back.")
        spinMicroseconds = reader.int(
            "spin-microseconds", default: 0, in: 0...100_000,
            help: "How long the loop looks for work before it sleeps: lower latency for a busy core.")
        pendingEvents = UInt64(
            clamping: reader.int(
                "pending-events", default: 100_000, in: 1...1_000_000_000,
                help: "Ledger events that may wait for accounting before /healthz says so."))
        links = LinkProtection(&reader)
        line = LineSettings()
        line.heartbeatInterval = reader.nanoseconds(
            "heartbeat", default: .milliseconds(250), in: .milliseconds(10)...Duration.seconds(60),
            help: "How often the station above sends a heartbeat.")
        line.silenceLimit = reader.nanoseconds(
            "silence", default: .seconds(5), in: .milliseconds(100)...Duration.seconds(600),
            help: "Silence after which a peer counts as dead.")
        line.stepAgeLimit = reader.nanoseconds(
            "step-age", default: .seconds(30), in: .milliseconds(100)...Duration.seconds(3600),
            help: "Age of an engine's last step, while it holds work, after which its worker counts as hung.")
        line.highestVersion = UInt8(
            clamping: reader.int(
                "protocol-version", default: Int(ProtocolVersion.current),
                in: Int(ProtocolVersion.minimum)...Int(ProtocolVersion.current),
                help: "The highest version of the wire format to speak; each session takes the lower one of both sides."
            ))
    }
}

extension StationSettings {
    /// Where the stations of a role keep their spools: a folder that only their user may enter.
    public func spools(of role: StationRole) -> String { spoolDirectory + "/" + role.folderName }
}

extension SettingsReader {
    /// An address such as `tcp://127.0.0.1:7700`.
    public mutating func endpoint(_ name: String, default fallback: String, help: String) -> Endpoint {
        value(name, default: fallback, help: help) { try Endpoint($0) }
            // A value that does not parse is noted as a problem, and nothing starts.
            ?? .inproc(name: "none")
    }

    /// A list of addresses.
    public mutating func endpoints(_ name: String, default fallback: [String], help: String) -> [Endpoint] {
        list(name, default: fallback, help: help).compactMap { text in
            do {
                return try Endpoint(text)
            } catch {
                refuse(name, because: "\(error)")
                return nil
            }
        }
    }
}
