import ArgumentParser
import HopBenchmark

struct GuardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "guard",
        abstract: "Compares ratios of a quick run with a baseline; exit status 1 if one is beyond its limit.",
        discussion: """
            Only ratios within one run are compared, never times. When the machine's own wake-up floor moved by more \
            than a factor of 2, the run is repeated, up to three times; exit status 2 if it never held still.
            """)

    @Option(help: "The file of ratios and limits.") var baseline = "Benchmarks/baseline.json"
    @Flag(help: "Write the file from this run instead.") var write = false
    @Option(help: "With --write: how far a ratio may grow.") var room = 1.5
    @OptionGroup var programs: ProgramOptions

    func run() async throws {
        for _ in 0..<3 {
            let (ratios, isStable) = try await GuardRun(programs: programs.folder, onProgress: note).perform()
            guard isStable else {
                note("the wake-up floor moved by more than a factor of 2: once more")
                continue
            }
            if write {
                try ReportFile.write(json: GuardBaseline(measured: ratios, room: room), to: baseline)
                return
            }
            let verdict = try GuardBaseline(path: baseline).judge(ratios)
            print(verdict.text)
            if !verdict.isWithin { throw ExitCode(1) }
            return
        }
        note("the machine did not hold still: nothing can be compared")
        throw ExitCode(2)
    }
}
