import Foundation

/// Starts a loopback cluster and waits until it is healthy.
///
/// The processes go on when the launcher has ended; their output goes to files. What was started stands in the state
/// file from the first moment, so a launcher that is killed leaves nothing that could not be taken down.
public struct ClusterLauncher: Sendable {
    private let plan: ClusterPlan
    private let folder: ClusterFolder
    private let programs: String
    private let deadline: Double
    private let onEvent: @Sendable (String) -> Void

    /// - Parameters:
    ///   - programs: the folder of the executables.
    ///   - deadline: seconds for each service to serve, and for the whole line to be healthy.
    ///   - onEvent: what goes on, for the operator.
    public init(
        plan: ClusterPlan, folder: ClusterFolder, programs: String, deadline: Double = 60,
        onEvent: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.plan = plan
        self.folder = folder
        self.programs = programs
        self.deadline = deadline
        self.onEvent = onEvent
    }

    /// Starts everything; when that fails, what was started is stopped again.
    public func perform() async throws(FactoryError) -> ClusterState {
        if let old = try folder.state() {
            let alive = old.services.count { ProcessProbe.isAlive($0.pid, portsFile: $0.portsFile) }
            if alive > 0 { throw .alreadyUp(path: folder.path, processes: alive) }
        }
        try folder.make()
        var state = ClusterState()
        do throws(FactoryError) {
            for stage in plan.stages { try await start(stage, &state) }
            try await awaitHealth(state)
        } catch {
            _ = try? await ClusterStopper(folder: folder, bound: 5).perform()
            throw error
        }
        return state
    }

    /// The replicas of a stage start together.
    private func start(_ stage: ClusterPlan.Stage, _ state: inout ClusterState) async throws(FactoryError) {
        let first = state.services.count
        var processes: [Process] = []
        for number in 0..<stage.count {
            let name = "\(stage.program.rawValue)-\(number)"
            let arguments =
                [
                    "--name", name, "--ports-file", folder.portsFile(name), "--spool-directory", folder.spools,
                ] + plan.arguments(stage.program, state, database: folder.database, links: folder.links)
            let process = try launch(stage.program.rawValue, name, arguments)
            processes.append(process)
            state.services.append(
                ClusterState.Service(
                    name: name, program: stage.program, pid: process.processIdentifier, endpoints: [:],
                    log: folder.log(name), portsFile: folder.portsFile(name)))
            try folder.save(state)
        }
        for (index, process) in processes.enumerated() {
            let name = state.services[first + index].name
            let ports = try await ports(name, process)
            state.services[first + index].pid = ports.pid
            state.services[first + index].endpoints = ports.endpoints
            try folder.save(state)
            let doors = ports.endpoints.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            onEvent("\(name) serves: \(doors.joined(separator: ", "))")
        }
    }

    private func launch(_ program: String, _ name: String, _ arguments: [String]) throws(FactoryError) -> Process {
        let path = programs + "/" + program
        guard FileManager.default.isExecutableFile(atPath: path) else { throw .noProgram(path: path) }
        do {
            try? FileManager.default.removeItem(atPath: folder.portsFile(name))
            let log = try folder.openLog(name)
            let process = Process()
            process.executableURL = URL(fileURLWithPath: path)
            process.arguments = arguments
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = log
            process.standardError = log
            try process.run()
            return process
        } catch {
            throw .cannotStart(name: name, reason: error.localizedDescription)
        }
    }

    private func ports(_ name: String, _ process: Process) async throws(FactoryError) -> PortsFile {
        var found: PortsFile?
        _ = await ProcessProbe.wait(seconds: deadline) {
            found = folder.ports(name)
            return found != nil || !process.isRunning
        }
        if let found { return found }
        if !process.isRunning { throw .diedAtStart(name: name, logTail: folder.logTail(name)) }
        throw .notInTime(what: "\(name) serves", seconds: deadline, logTail: folder.logTail(name))
    }

    /// An ingest's health is the whole line's: its probe goes down to a worker and back.
    private func awaitHealth(_ state: ClusterState) async throws(FactoryError) {
        for service in state.services {
            guard let door = service.adminDoor else { continue }
            var answer = HealthProbe.Answer.noAnswer(reason: "not asked")
            let isHealthy = await ProcessProbe.wait(seconds: deadline) {
                answer = await HealthProbe.ask("http://\(door)/healthz")
                return answer == .ok || !ProcessProbe.isAlive(service.pid, portsFile: service.portsFile)
            }
            guard isHealthy else {
                throw .notInTime(
                    what: "\(service.name) is healthy (\(answer))", seconds: deadline,
                    logTail: folder.logTail(service.name))
            }
            guard answer == .ok else { throw .diedAtStart(name: service.name, logTail: folder.logTail(service.name)) }
        }
    }
}
