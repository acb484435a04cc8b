import Seeds
import Testing
import Tokenization

struct StopMatcherTests {
    @Test func textBeforeTheStopStringRemains() {
        #expect(run(["one, ", "two, th", "ree, four"], stops: ["three"]) == ("one, two, ", true))
    }

    @Test func aBeginningThatComesToNothingIsGivenOut() {
        var matcher = StopMatcher(["END"])
        var text: [UInt8] = []
        matcher.push(Array("an EN".utf8), into: &text)
        #expect(String(decoding: text, as: UTF8.self) == "an ")
        #expect(matcher.heldCount == 2)
        matcher.push(Array("T".utf8), into: &text)
        #expect(String(decoding: text, as: UTF8.self) == "an ENT")
        #expect(matcher.heldCount == 0)
    }

    @Test func whatIsHeldAtTheEndIsText() {
        #expect(run(["abc E", "N"], stops: ["END"]) == ("abc EN", false))
    }

    @Test func ofTwoThatEndTogetherTheLongerCounts() {
        #expect(run(["xabcx"], stops: ["bc", "abc", "c"]) == ("x", true))
    }

    @Test func theOneThatEndsFirstCounts() {
        #expect(run(["xabcdx"], stops: ["abcd", "bc"]) == ("xa", true))
    }

    @Test func aStringThatOverlapsItself() {
        #expect(run(["aab", "aabaaab", "x"], stops: ["aabaaab"]) == ("aab", true))
    }

    @Test func emptyStopStringsStopNothing() {
        #expect(run(["abc"], stops: [""]) == ("abc", false))
        #expect(StopMatcher([""]).isEmpty)
    }

    @Test func aStopStringThatMayNotStopYetPasses() {
        var matcher = StopMatcher(["ab"])
        var text: [UInt8] = []
        #expect(!matcher.push(Array("ab".utf8), mayStop: false, into: &text))
        #expect(matcher.push(Array("xab".utf8), into: &text))
        #expect(String(decoding: text, as: UTF8.self) == "abx")
    }

    @Test func anyCutGivesWhatASearchInTheWholeGives() {
        forEachSeed(5000) { generator in
            let alphabet = ["a", "b", "é", "漢"]
            func word(_ generator: inout SeededGenerator, _ lengths: ClosedRange<Int>) -> String {
                (0..<generator.integer(lengths)).map { _ in alphabet[generator.integer(0...3)] }.joined()
            }
            let stops = (0..<generator.integer(0...16)).map { _ in word(&generator, 1...6) }
            let whole = Array(word(&generator, 0...30).utf8)
            let expected = search(whole, for: stops.map { Array($0.utf8) })
            let pieces = generator.cut(whole)
            var matcher = StopMatcher(stops)
            var text: [UInt8] = []
            for piece in pieces { matcher.push(piece, into: &text) }
            matcher.flush(into: &text)
            return text == expected.text && matcher.isStopped == expected.isStopped
        }
    }

    @Test func neverGivesOutWhatMayYetBelongToAStopString() {
        forEachSeed(2000) { generator in
            let stop = Array("abcabd".utf8)
            let whole = (0..<40).map { _ in UInt8(ascii: "a") + UInt8(generator.integer(0...3)) }
            var matcher = StopMatcher(["abcabd"])
            var text: [UInt8] = []
            var seen = 0
            for piece in generator.cut(whole) {
                matcher.push(piece, into: &text)
                seen += piece.count
                if matcher.isStopped { return true }
                let longest = (0..<stop.count).last { length in
                    length <= seen && whole[..<seen].suffix(length).elementsEqual(stop.prefix(length))
                }
                guard text.count == seen - (longest ?? 0) else { return false }
            }
            return true
        }
    }

    private func run(_ pieces: [String], stops: [String]) -> (String, Bool) {
        var matcher = StopMatcher(stops)
        var text: [UInt8] = []
        for piece in pieces { matcher.push(Array(piece.utf8), into: &text) }
        matcher.flush(into: &text)
        return (String(decoding: text, as: UTF8.self), matcher.isStopped)
    }

    /// The first end of a stop string in `text`, by looking at every place.
    private func search(_ text: [UInt8], for stops: [[UInt8]]) -> (text: [UInt8], isStopped: Bool) {
        for end in text.indices.map({ $0 + 1 }) {
            let found = stops.filter { stop in
                stop.count <= end && text[..<end].suffix(stop.count).elementsEqual(stop)
            }
            if let longest = found.map(\.count).max() { return (Array(text[..<(end - longest)]), true) }
        }
        return (text, false)
    }
}
