import ArgumentParser
import FactoryKit
import LedgerStore
import Station

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Tokens and money by tenant, model and worker, from the ledger.")

    @OptionGroup var ledger: LedgerOptions
    @Option(help: "tenant, model or worker; default: all three.", transform: grouping) var by: ReportGrouping?

    func run() throws {
        let reader = try LedgerReader(path: ledger.path)
        let tables = try (by.map { [$0] } ?? ReportGrouping.allCases).map { grouping in
            "\(LedgerView.table(try reader.report(by: grouping)))"
        }
        say(tables.joined(separator: "\n\n"))
    }
}

private func grouping(_ text: String) throws -> ReportGrouping {
    guard let grouping = ReportGrouping(rawValue: text) else {
        throw ValidationError("--by is tenant, model or worker.")
    }
    return grouping
}

struct RequestsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "requests", abstract: "A tenant's requests that its clients call so, the latest first.")

    @OptionGroup var ledger: LedgerOptions
    @Option(help: "Whose requests.") var tenant: String
    @Option(help: "What the client called them: its X-Request-Id.") var label: String

    func run() throws {
        let found = try LedgerReader(path: ledger.path).requests(labelled: label, tenant: tenant)
        say("\(LedgerView.table(found))")
    }
}

struct Audit: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Proves the ledger from its database alone.", discussion: "Exit status 1 if anything is wrong in it.")

    @OptionGroup var ledger: LedgerOptions
    @Option(
        help: "Seconds after its end in which a request whose attempts have not all come is pending; 0: a line at rest."
    )
    var grace = AuditGrace.defaultSeconds

    func validate() throws {
        guard grace <= 3600 else { throw ValidationError("--grace is at most 3600 seconds.") }
    }

    func run() throws {
        let grace = AuditGrace(now: WallClock.now(), length: grace * 1_000_000_000)
        let result = try LedgerReader(path: ledger.path).audit(grace: grace)
        say(LedgerView.text(result))
        guard result.passed else { throw ExitCode(1) }
    }
}
