import Testing

@testable import HopBenchmark

@Suite struct SpreadTests {
    @Test func theMedianStandsBetweenTheLeastAndTheMost() throws {
        let odd = try #require(Spread([3, 1, 2]))
        #expect(odd == Spread([1, 2, 3]))
        #expect(odd.median == 2 && odd.least == 1 && odd.most == 3)
        #expect(try #require(Spread([4.0, 1, 2, 3])).median == 2.5)
        #expect(Spread([Double]()) == nil)
    }

    @Test func quotientsAreOfPairs() throws {
        let spread = try #require(Spread([(2.0, 1.0), (9, 3), (1, 0)]))
        #expect(spread.least == 2 && spread.most == 3)
        #expect(Spread([(1.0, 0.0)]) == nil)
    }
}
