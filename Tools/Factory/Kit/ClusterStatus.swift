public import Formats

/// How the processes of a cluster are.
public struct ClusterStatus: Sendable {
    /// One process.
    public struct Row: Equatable, Sendable {
        public var service: ClusterState.Service
        public var isUp: Bool
        /// nil if it is not up, or has no door to ask at.
        public var health: HealthProbe.Answer?
    }

    public let rows: [Row]

    /// Asks all of them at once.
    public init(_ state: ClusterState) async {
        rows = await withTaskGroup(of: (Int, Row).self) { group in
            for (index, service) in state.services.enumerated() {
                group.addTask {
                    let isUp = ProcessProbe.isAlive(service.pid, portsFile: service.portsFile)
                    var row = Row(service: service, isUp: isUp)
                    if isUp, let door = service.adminDoor {
                        row.health = await HealthProbe.ask("http://\(door)/healthz")
                    }
                    return (index, row)
                }
            }
            return await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }.map { $0.1 }
        }
    }

    /// Whether everything is up, and whatever can be asked is well.
    public var isWell: Bool { rows.allSatisfy { $0.isUp && ($0.health ?? .ok) == .ok } }

    /// A table.
    public var table: TextTable {
        TextTable(
            ["service", "pid", "state", "health", "endpoints"],
            rows.map { row in
                [
                    row.service.name, "\(row.service.pid)", row.isUp ? "up" : "gone",
                    row.health.map { "\($0)" } ?? "-",
                    row.service.endpoints.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
                        .joined(separator: " "),
                ]
            }, rightAligned: [])
    }
}
