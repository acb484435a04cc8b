import Foundation
import Logging
import Synchronization
import Testing

@testable import Keys

@Suite struct KeyRingTests {

    /// A file of keys, for the time of one test.
    private struct File: ~Copyable {
        let path = FileManager.default.temporaryDirectory.appending(path: "keys-\(UUID())").path

        func write(_ text: String) throws {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    private static func line(_ key: String, _ rest: String) -> String { "\(KeyRing.hash(of: key)) \(rest)\n" }

    @Test func aWithdrawnKeyStopsAtOnce() throws {
        let file = File()
        try file.write(Self.line("old", "acme") + Self.line("other", "acme"))
        let ring = try KeyRing(contentsOf: file.path)
        let told = Mutex<[UInt64]>([])
        ring.onChange { generation in told.withLock { $0.append(generation) } }
        let grant = try #require(ring.check("old", scope: .infer, now: 0).grant)
        let other = try #require(ring.check("other", scope: .infer, now: 0).grant)
        let generation = ring.generation
        if case .unchanged = ring.reread() {} else { Issue.record("read without a change") }
        #expect(ring.generation == generation)

        try file.write(Self.line("other", "acme scopes=report weight=3") + Self.line("new", "beta"))
        guard case .read(2) = ring.reread() else { Issue.record("not read"); return }
        #expect(ring.check("old", scope: .infer, now: 0).grant == nil)
        #expect(!ring.isGood(grant, scope: .infer, now: 0))
        #expect(!ring.isGood(other, scope: .infer, now: 0) && ring.isGood(other, scope: .report, now: 0))
        #expect(ring.check(other, scope: .report, now: 0).grant?.weight == 3)
        #expect(ring.check("new", scope: .infer, now: 0).grant?.tenant == "beta")
        #expect(ring.generation == generation + 1)
        #expect(told.withLock { $0 } == [generation + 1])
    }

    @Test func aKeyThatGoesToAnotherTenantEndsItsGrants() throws {
        let file = File()
        try file.write(Self.line("a", "acme"))
        let ring = try KeyRing(contentsOf: file.path)
        let grant = try #require(ring.check("a", scope: .infer, now: 0).grant)
        try file.write(Self.line("a", "beta"))
        guard case .read(1) = ring.reread() else { Issue.record("not read"); return }
        #expect(!ring.isGood(grant, scope: .infer, now: 0))
    }

    @Test(arguments: ["", "\n \n", "rubbish\n"])
    func aBadFileLeavesTheKeysAsTheyAre(_ text: String) throws {
        let file = File()
        try file.write(Self.line("a", "acme"))
        let ring = try KeyRing(contentsOf: file.path)
        try file.write(text)
        guard case .failed = ring.reread() else { Issue.record("not refused"); return }
        // Told once, not in every second.
        guard case .unchanged = ring.reread() else { Issue.record("told again"); return }
        #expect(ring.check("a", scope: .infer, now: 0).grant != nil)
        #expect(ring.failures == 1)
        try file.write(Self.line("b", "acme"))
        guard case .read(1) = ring.reread() else { Issue.record("not read"); return }
        #expect(ring.check("a", scope: .infer, now: 0).grant == nil)
    }

    @Test func aFileThatIsGoneLeavesTheKeysAndOneOfCommentsWithdrawsThem() throws {
        let file = File()
        try file.write(Self.line("a", "acme"))
        let ring = try KeyRing(contentsOf: file.path)
        try FileManager.default.removeItem(atPath: file.path)
        guard case .failed(.unreadable) = ring.reread() else { Issue.record("not refused"); return }
        #expect(ring.check("a", scope: .infer, now: 0).grant != nil)
        try file.write("# all keys are withdrawn\n")
        guard case .read(0) = ring.reread() else { Issue.record("not read"); return }
        #expect(ring.check("a", scope: .infer, now: 0).grant == nil)
    }

    /// Writing in place, twice within the file system's clock, in the same length.
    @Test func aChangeSoonAfterAnotherIsSeen() throws {
        let file = File()
        try Self.line("a", "acme").write(toFile: file.path, atomically: false, encoding: .utf8)
        let ring = try KeyRing(contentsOf: file.path)
        for name in ["b", "c", "d"] {
            try Self.line(name, "acme").write(toFile: file.path, atomically: false, encoding: .utf8)
            guard case .read(1) = ring.reread() else { Issue.record("not seen: \(name)"); return }
            #expect(ring.check(name, scope: .infer, now: 0).grant != nil)
        }
    }

    @Test(.timeLimit(.minutes(5))) func theWatchReadsTheFileByItself() async throws {
        let file = File()
        try file.write(Self.line("a", "acme"))
        let ring = try KeyRing(contentsOf: file.path)
        let (changes, told) = AsyncStream<UInt64>.makeStream()
        ring.onChange { told.yield($0) }
        let watch = Task { await ring.watch(log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }) }
        try file.write(Self.line("b", "acme"))
        for await _ in changes { break }
        #expect(ring.check("b", scope: .infer, now: 0).grant != nil)
        watch.cancel()
        await watch.value
    }

    // MARK: Rates

    @Test func requestsAreCountedByTheMinute() throws {
        let ring = try KeyRing(parsing: Self.line("a", "acme requests-per-minute=2") + Self.line("b", "acme"))
        let grant = try #require(ring.check("a", scope: .infer, now: 0).grant)
        let free = try #require(ring.check("b", scope: .infer, now: 0).grant)
        let second: UInt64 = 1_000_000_000
        #expect(ring.begin(grant, tokens: 1, now: 0) == 0)
        #expect(ring.begin(grant, tokens: 1, now: 0) == 0)
        #expect(ring.begin(grant, tokens: 1, now: 0) == 30 * second)
        #expect(ring.begin(grant, tokens: 1, now: 29 * second) == second)
        #expect(ring.begin(grant, tokens: 1, now: 30 * second) == 0)
        #expect(ring.begin(grant, tokens: 1, now: 30 * second) == 30 * second)
        for _ in 0..<1000 { #expect(ring.begin(free, tokens: .max, now: 0) == 0) }
    }

    @Test func tokensAreCountedAsTheyWereUsed() throws {
        let ring = try KeyRing(parsing: Self.line("a", "acme tokens-per-minute=600"))
        let grant = try #require(ring.check("a", scope: .infer, now: 0).grant)
        let second: UInt64 = 1_000_000_000
        #expect(ring.begin(grant, tokens: 600, now: 0) == 0)
        #expect(ring.begin(grant, tokens: 100, now: 0) == 10 * second)
        ring.end(grant, expected: 600, used: 500)
        #expect(ring.begin(grant, tokens: 100, now: 0) == 0)
        // An answer of more than was expected has to be waited for.
        ring.end(grant, expected: 100, used: 700)
        #expect(ring.begin(grant, tokens: 1, now: 60 * second) == second / 10)
        // One that is larger than the bound goes when the bucket is full.
        #expect(ring.begin(grant, tokens: .max, now: 200 * second) == 0)
        // What is counted never overflows, and a clock that stands or steps back gives nothing.
        ring.end(grant, expected: 0, used: .max)
        ring.end(grant, expected: .max, used: 0)
        #expect(ring.begin(grant, tokens: 1, now: 0) > 0)
    }

    @Test func ratesLiveOnWhenTheFileIsReadAgain() throws {
        let file = File()
        try file.write(Self.line("a", "acme requests-per-minute=1"))
        let ring = try KeyRing(contentsOf: file.path)
        let grant = try #require(ring.check("a", scope: .infer, now: 0).grant)
        #expect(ring.begin(grant, tokens: 1, now: 0) == 0)
        try file.write("# comment\n" + Self.line("a", "acme requests-per-minute=1"))
        guard case .read = ring.reread() else { Issue.record("not read"); return }
        #expect(ring.begin(grant, tokens: 1, now: 0) > 0)
    }
}
