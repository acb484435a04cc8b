import Seeds
import Ledger
import LedgerInMemory
import Line
import Testing
import Wire

/// Accounting's life by chance: producers state, claim and lose their connections, the disk is slow, full or works,
/// accounting is killed and begins again. After it everything works, and the rules are held against the ledger.
private struct AccountingSimulation {
    struct Failure: Error, CustomStringConvertible {
        var seed: UInt64
        var rule: String

        var description: String {
            "\(rule); again: \(SimulationSeeds.replay(seed, filter: "AccountingSimulationTests"))"
        }
    }

    /// How often each thing happened.
    struct Coverage: CustomStringConvertible {
        var events = 0
        var restarts = 0
        var pauses = 0
        var failures = 0
        var claims = 0
        var granted = 0

        var description: String {
            "\(events) events, \(restarts) restarts, \(pauses) times unread, \(failures) failed disks, \(claims) claims, "
                + "\(granted) granted"
        }
    }

    let seed: UInt64
    let bench: AccountingBench
    private(set) var coverage = Coverage()
    private var random: SeededGenerator
    private var nextRequest: UInt64 = 1
    private var open: [(request: UInt64, producer: Int)] = []
    private var settled: Set<UInt64> = []

    init(seed: UInt64, sabotage: AccountingBench.Sabotage? = nil) throws {
        self.seed = seed
        random = SeededGenerator(seed: seed)
        bench = try AccountingBench(producers: 3)
        bench.sabotage = sabotage
    }

    mutating func run(actions: Int = 80) throws {
        for _ in 0..<actions { try act() }
        bench.diskFails = false
        for _ in 0..<4 {
            bench.pass(6_000_000_000)
            bench.commitAll()
        }
        try check()
        bench.drain()
        bench.commitAll()
        try rule("accounting drains", bench.isDrained)
    }

    private mutating func act() throws {
        switch Int.random(in: 0..<24, using: &random) {
        case 0..<7: state()
        case 7..<9: settle()
        case 9..<14: bench.commit()
        case 14..<17: bench.pass(50_000_000 * UInt64.random(in: 1...8, using: &random))
        case 17, 18: claim()
        case 19: if let producer = bench.producers.randomElement(using: &random) { bench.dial(producer) }
        case 20:
            bench.diskFails.toggle()
            if bench.diskFails { coverage.failures += 1 }
        case 21 where Bool.random(using: &random):
            try bench.restart(hasWritten: Bool.random(using: &random))
            coverage.restarts += 1
        default: bench.settle()
        }
        if !bench.isReading { coverage.pauses += 1 }
        try checkAcknowledgements()
    }

    private mutating func state() {
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let index = Int.random(in: 0..<bench.producers.count, using: &random)
            bench.producers[index].events.append(Request(number: nextRequest).reserve(by: bench.producers[index].epoch))
            open.append((nextRequest, index))
            nextRequest += 1
            coverage.events += 1
        }
        bench.settle()
    }

    private mutating func settle() {
        guard let place = open.indices.randomElement(using: &random) else { return }
        let (request, index) = open.remove(at: place)
        bench.producers[index].events.append(Request(number: request).settle(by: bench.producers[index].epoch))
        settled.insert(request)
        coverage.events += 1
        bench.settle()
    }

    private mutating func claim() {
        guard let producer = bench.producers.randomElement(using: &random) else { return }
        coverage.claims += 1
        // Its request is never reserved: nobody else may have the key.
        bench.claim(
            "k\(Int.random(in: 1...3, using: &random))", request: 1_000_000 + UInt64(coverage.claims), by: producer)
    }

    // MARK: Rules

    private func rule(_ text: String, _ holds: Bool) throws {
        if !holds { throw Failure(seed: seed, rule: text) }
    }

    /// What a producer may forget is in the ledger.
    private func checkAcknowledgements() throws {
        for producer in bench.producers {
            for event in producer.events.prefix(producer.acknowledged) {
                let state = bench.ledger.request(event.requestID, of: "acme")
                let isThere = event.kind == .settle ? state?.status == .settled : state != nil
                try rule("what is acknowledged is on disk", isThere)
            }
        }
    }

    private mutating func check() throws {
        try checkAcknowledgements()
        var owners: [String: Set<UInt64>] = [:]
        for producer in bench.producers {
            try rule(
                "all that was stated is acknowledged (\(producer.acknowledged) of \(producer.events.count), sent "
                    + "\(producer.next), \(producer.isUp ? "up" : "down"), \(bench.isReading ? "read" : "unread"); last: \(bench.lines.suffix(6).map { "\($0.message) \($0.fields)" }))",
                producer.acknowledged == producer.events.count)
            for (key, requests) in producer.granted { owners[key, default: []].formUnion(requests) }
        }
        for (_, requests) in owners { coverage.granted += requests.count }
        try rule("a key is one request's", owners.values.allSatisfy { $0.count == 1 })
        for request in 1..<nextRequest {
            let state = bench.ledger.request(RequestID(high: 1, low: request), of: "acme")
            try rule(
                "each request is as it was stated", state?.status == (settled.contains(request) ? .settled : .reserved))
        }
        let stated = bench.producers.reduce(0) { $0 + $1.events.count }
        let rows = bench.ledger.log.count { $0.kind == 1 || $0.kind == 2 }
        try rule("each event is in the log once", rows == stated)
        let audit = bench.ledger.audit()
        try rule(
            "the audit passes", audit.findings.allSatisfy { $0.severity == .notice || $0.check == .coverage })
    }
}

struct AccountingSimulationTests {
    @Test func everySeedKeepsEveryRule() throws {
        let seeds = SimulationSeeds(runs: 60)
        var all = AccountingSimulation.Coverage()
        for seed in seeds {
            var simulation = try AccountingSimulation(seed: seed)
            do { try simulation.run() } catch { Issue.record("\(error)") }
            all.events += simulation.coverage.events
            all.restarts += simulation.coverage.restarts
            all.pauses += simulation.coverage.pauses
            all.failures += simulation.coverage.failures
            all.claims += simulation.coverage.claims
            all.granted += simulation.coverage.granted
        }
        print("\(seeds.count) lives of accounting: \(all)")
        guard seeds.count >= 50 else { return }
        #expect(all.restarts > 50)
        #expect(all.pauses > 50)
        #expect(all.failures > 50)
        #expect(all.granted > 50)
    }

    @Test(arguments: AccountingBench.Sabotage.allCases)
    func aPlantedFaultIsFound(_ sabotage: AccountingBench.Sabotage) throws {
        for seed in UInt64(1)...60 {
            var simulation = try AccountingSimulation(seed: seed, sabotage: sabotage)
            do {
                try simulation.run()
            } catch {
                return print("\(sabotage): found after \(seed) seeds: \(error)")
            }
        }
        Issue.record("60 seeds with \(sabotage) broke no rule")
    }
}
