import Testing

@testable import Line

@Suite struct AffinityTableTests {
    @Test("A prefix is forgotten by how many came after it, not by which", arguments: 0...7)
    func forgetsByCount(seed: UInt64) {
        let own = SessionRef(peer: 7, session: 70, index: 0)
        let other = SessionRef(peer: 8, session: 80, index: 1)
        var table = AffinityTable()
        table.note(42, own)
        for index in 1..<UInt64(4096) {
            table.note((index &+ seed &* 4096) &* 0x9e37_79b9_7f4a_7c15, other)
            guard table.session(for: 42) == own else {
                Issue.record("forgotten after \(index)")
                return
            }
        }
        table.note(43, other)
        #expect(table.session(for: 42) == nil)
        #expect(table.session(for: 43) == other)
    }

    @Test("A prefix that is noted again goes to the newer session")
    func newerSession() {
        var table = AffinityTable()
        for peer in 1...5 as ClosedRange<UInt32> {
            table.note(42, SessionRef(peer: UInt64(peer), session: peer, index: 0))
            #expect(table.session(for: 42) == SessionRef(peer: UInt64(peer), session: peer, index: 0))
        }
        #expect(table.session(for: 1) == nil)
    }
}
