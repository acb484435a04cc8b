import ArgumentParser
import Foundation
import Logging
import Synchronization
import Testing

@testable import Settings

@Suite struct LineLogHandlerTests {
    func lines(_ format: LogFormat, _ body: (Logger) -> Void) -> [String] {
        let lines = Lines()
        var logger = Logger(label: "ingest") { label in
            var handler = LineLogHandler(label: label, format: format) { line in lines.add(line) }
            handler.now = { 1_700_000_000.1239 }
            return handler
        }
        logger[metadataKey: "instance"] = "i-1"
        body(logger)
        return lines.all
    }

    final class Lines: Sendable {
        private let storage = Mutex<[String]>([])
        func add(_ line: String) { storage.withLock { $0.append(line) } }
        var all: [String] { storage.withLock { $0 } }
    }

    @Test func textLines() {
        let lines = lines(.text) { logger in
            logger.info("started", metadata: ["port": "8080", "list": ["a", "b"]])
            logger.debug("not shown")
            logger.error("two\nlines")
        }
        #expect(
            lines == [
                "2023-11-14T22:13:20.123Z info ingest: started instance=i-1 list=[\"a\", \"b\"] port=8080\n",
                "2023-11-14T22:13:20.123Z error ingest: two\\nlines instance=i-1\n",
            ])
    }

    @Test func jsonLines() throws {
        let lines = lines(.json) { logger in
            logger.warning("say \"hi\"\n\u{1}", metadata: ["nested": ["k": ["x", "y"]], "é": "ü"])
        }
        #expect(
            lines == [
                #"{"time":"2023-11-14T22:13:20.123Z","level":"warning","label":"ingest","#
                    + #""message":"say \"hi\"\u000a\u0001","instance":"i-1","nested":{"k":["x","y"]},"é":"ü"}"# + "\n"
            ])
        let object = try JSONSerialization.jsonObject(with: Data((lines.first ?? "").utf8)) as? [String: Any]
        #expect(object?["message"] as? String == "say \"hi\"\n\u{1}")
    }

    /// Whoever makes a station say one thing again and again fills no disk, and hides nothing else.
    @Test func oneMessageHasABoundInEachSecond() {
        let rate = LogRate(limit: 3)
        var passed: [UInt64] = []
        for _ in 0..<1000 { if let held = rate.pass("refused", second: 7) { passed.append(held) } }
        #expect(passed == [0, 0, 0])
        #expect(rate.pass("another", second: 7) == 0)
        #expect(rate.pass("refused", second: 8) == 997)
        #expect(rate.pass("refused", second: 8) == 0)
        for number in 0..<5000 { _ = rate.pass("\(number)", second: 9) }
        #expect(rate.pass("refused", second: 9) == 0)
    }

    @Test func whatWasHeldBackIsCounted() {
        let second = Mutex(1_700_000_000.0)
        let lines = Lines()
        let logger = Logger(label: "ingest") { label in
            var handler = LineLogHandler(label: label, format: .text, rate: LogRate(limit: 1)) { lines.add($0) }
            handler.now = { second.withLock { $0 } }
            return handler
        }
        for _ in 0..<5 { logger.info("refused") }
        second.withLock { $0 += 1 }
        logger.info("refused")
        #expect(lines.all.count == 2 && lines.all[1].contains("held_back=4"))
    }

    @Test func levelAndFormatAreSettings() throws {
        struct Program: ParsableCommand { @OptionGroup var log: LogSettings }
        let log = try Program.load(arguments: ["--log-level", "debug", "--log-format=json"], environment: [:]).log
        #expect(log.level == .debug)
        #expect(log.format == .json)
        #expect(log.makeLogger("x", fields: ["a": "b"]).logLevel == .debug)
    }
}
