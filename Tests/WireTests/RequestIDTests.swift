import Testing
import Wire

@Suite struct RequestIDTests {
    @Test func newOnesAreUUIDsOfVersionSevenInTheOrderOfTime() {
        var generator = SystemRandomNumberGenerator()
        var last = RequestID.none
        for milliseconds in stride(from: UInt64(1_700_000_000_000), to: 1_700_000_001_000, by: 7) {
            let id = RequestID(timeOrdered: milliseconds, using: &generator)
            #expect(id.high >> 16 == milliseconds)
            #expect(id.high >> 12 & 0xf == 7)
            #expect(id.low >> 62 == 2)
            #expect(id.high > last.high)
            #expect(RequestID(id.description) == id)
            last = id
        }
    }

    @Test func newOnesOfOneMomentDiffer() {
        var generator = SystemRandomNumberGenerator()
        let ids = Set((0..<10_000).map { _ in RequestID(timeOrdered: 5, using: &generator) })
        #expect(ids.count == 10_000)
    }
}
