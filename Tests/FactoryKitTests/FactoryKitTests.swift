import Foundation
import Testing

@testable import FactoryKit

struct ClusterPlanTests {
    @Test func everyStationDialsAllThatStandAboveIt() {
        var state = ClusterState()
        state.services = [
            service(.accounting, ["ledger-link": "tcp://127.0.0.1:1", "http": "127.0.0.1:2"]),
            service(.ingest, ["tokenizer-link": "tcp://127.0.0.1:3", "http": "127.0.0.1:4"]),
            service(.ingest, ["tokenizer-link": "tcp://127.0.0.1:5", "http": "127.0.0.1:6"]),
        ]
        let arguments = ClusterPlan().arguments(.tokenizer, state, database: "db", links: "/run/links")
        #expect(value("--ingest", arguments) == "tcp://127.0.0.1:3,tcp://127.0.0.1:5")
        #expect(value("--accounting", arguments) == "tcp://127.0.0.1:1")
        #expect(value("--worker-link", arguments) == "ipc:///run/links/0.workers")
        #expect(value("--model", arguments) == nil)
    }

    @Test func onlyTheFirstTakesADocumentedPort() {
        var plan = ClusterPlan()
        plan.usesDefaultPorts = true
        var state = ClusterState()
        #expect(
            value("--http", plan.arguments(.ingest, state, database: "db", links: "/run/links")) == "127.0.0.1:8080")
        state.services = [service(.ingest, [:])]
        #expect(value("--http", plan.arguments(.ingest, state, database: "db", links: "/run/links")) == "127.0.0.1:0")
    }

    @Test func stateSurvivesItsFile() throws {
        let folder = try Folder()
        var state = ClusterState()
        #expect(try folder.cluster.state() == nil)
        state.services = [service(.ingest, ["http": "127.0.0.1:4", "client-door": "tcp://127.0.0.1:5"])]
        try folder.cluster.save(state)
        #expect(try folder.cluster.state() == state)
        #expect(state.namedEndpoints.map { $0.name } == ["client-door", "http"])
    }

    private func service(_ program: ServiceProgram, _ endpoints: [String: String]) -> ClusterState.Service {
        .init(name: "x", program: program, pid: 1, endpoints: endpoints, log: "l", portsFile: "p")
    }

    private func value(_ name: String, _ arguments: [String]) -> String? {
        arguments.firstIndex(of: name).map { arguments[$0 + 1] }
    }
}

/// Clusters of shell scripts in the place of services.
struct ClusterLifeTests {
    @Test func startsWaitsAndDrains() async throws {
        let folder = try Folder()
        try folder.install("trap 'exit 0' TERM")
        var plan = ClusterPlan()
        plan.workers = 2
        // No door answers health, so a cluster of these is up when all have written their ports.
        let launcher = ClusterLauncher(plan: plan, folder: folder.cluster, programs: folder.programs, deadline: 20)
        let state = try await launcher.perform()
        #expect(
            state.services.map(\.name) == [
                "accounting-0", "ingest-0", "tokenizer-0", "inference-worker-0", "inference-worker-1",
            ])
        #expect(await ClusterStatus(state).isWell)
        await #expect(throws: FactoryError.alreadyUp(path: folder.cluster.path, processes: 5)) {
            try await launcher.perform()
        }
        #expect(try await ClusterStopper(folder: folder.cluster, bound: 20).perform())
        #expect(try folder.cluster.state() == nil)
        #expect(await !ClusterStatus(state).isWell)
    }

    @Test func whoDoesNotDrainIsKilled() async throws {
        let folder = try Folder()
        try folder.install("trap '' TERM")
        let launcher = ClusterLauncher(plan: .init(), folder: folder.cluster, programs: folder.programs, deadline: 20)
        let state = try await launcher.perform()
        #expect(try await !ClusterStopper(folder: folder.cluster, bound: 0.05).perform())
        #expect(await ClusterStatus(state).rows.allSatisfy { !$0.isUp })
    }

    @Test func aServiceThatEndsAtOnceIsToldWithItsLog() async throws {
        let folder = try Folder()
        try folder.install("echo bad setting >&2; exit 3")
        let launcher = ClusterLauncher(plan: .init(), folder: folder.cluster, programs: folder.programs, deadline: 20)
        await #expect(throws: FactoryError.diedAtStart(name: "accounting-0", logTail: "bad setting")) {
            try await launcher.perform()
        }
        #expect(try folder.cluster.state() == nil)
    }

    @Test func aMissingProgramIsNamed() async throws {
        let folder = try Folder()
        let launcher = ClusterLauncher(plan: .init(), folder: folder.cluster, programs: folder.programs, deadline: 20)
        await #expect(throws: FactoryError.noProgram(path: folder.programs + "/accounting")) {
            try await launcher.perform()
        }
    }
}

struct KeyMakerTests {
    @Test func keysAreNewEachTimeAndTheLineHasTheHash() throws {
        let keys = try KeyMaker(tenant: "acme")
        let other = try KeyMaker(tenant: "acme")
        #expect(keys.curvePublicKey.count == 40 && keys.curveSecretKey.count == 40)
        #expect(keys.apiKey != other.apiKey && keys.curveSecretKey != other.curveSecretKey)
        let words = keys.keysLine.split(separator: " ")
        #expect(words.count == 2 && words[0].count == 64 && words[1] == "acme")
        #expect(!keys.keysLine.contains(keys.apiKey))
    }
}

/// A folder that is gone when the test is.
private final class Folder {
    let cluster: ClusterFolder
    let programs: String
    private let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/factory-tests-\(UUID().uuidString)"
        programs = path + "/bin"
        cluster = ClusterFolder(path: path + "/run")
        try FileManager.default.createDirectory(atPath: programs, withIntermediateDirectories: true)
        try FileManager.default.createDirectory(atPath: cluster.path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Makes every service a script that runs `body`, writes its ports, and lives until it is told otherwise, the
    /// folder is gone, or this process is.
    func install(_ body: String) throws {
        let script = """
            #!/bin/bash
            \(body)
            while (($#)); do [[ $1 == --ports-file ]] && file=$2; shift; done
            echo "{\\"pid\\":$$,\\"endpoints\\":{\\"ledger-link\\":\\"tcp://127.0.0.1:1\\"}}" > "$file.new"
            mv "$file.new" "$file"
            exec {never}<> <(:)
            while [[ -d '\(path)' ]] && kill -0 \(ProcessInfo.processInfo.processIdentifier) 2>/dev/null; do read -r -t 0.05 -u "$never" || :; done
            """
        for program in ServiceProgram.allCases {
            let file = programs + "/" + program.rawValue
            try Data(script.utf8).write(to: URL(fileURLWithPath: file))
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file)
        }
    }
}
