import Testing

@testable import Line

@Suite struct LeaseTableTests {
    private func begin(_ work: UInt64, _ table: inout LeaseTable) throws -> UInt32 {
        let handle = table.begin(work)
        return try #require(handle)
    }

    @Test func `A handle is found until its lease ends, and never again`() throws {
        var table = LeaseTable()
        let first = try begin(7, &table)
        #expect(table.work(of: first) == 7)
        #expect(table.end(first) == 7)
        #expect(table.end(first) == nil)
        let second = try begin(8, &table)
        #expect(second & 0xffff == first & 0xffff)
        #expect(second != first)
        #expect(table.work(of: first) == nil)
        #expect(table.work(of: second) == 8)
    }

    @Test func `Handles are never used twice, also past the end of a slot's generations`() throws {
        var table = LeaseTable()
        var last: UInt32 = 0
        for round in 0..<70_000 {
            let handle = try begin(UInt64(round), &table)
            #expect(handle != last && handle != 0)
            last = handle
            _ = table.end(handle)
        }
        #expect(last & 0xffff == 1)
        #expect(last >> 16 == 70_000 - 65_535)
    }

    @Test func `Full means no handle`() throws {
        var table = LeaseTable()
        for work in 0..<LeaseTable.slotLimit { _ = try begin(UInt64(work), &table) }
        #expect(!table.hasRoom)
        #expect(table.begin(1) == nil)
        #expect(table.removeAll().count == LeaseTable.slotLimit)
        #expect(table.hasRoom)
        #expect(table.count == 0)
    }

    @Test func `Any handle from a peer is answered`() {
        var table = LeaseTable()
        _ = table.begin(1)
        #expect(table.work(of: .max) == nil)
        #expect(table.work(of: 0) == nil)
        #expect(table.end(0xffff) == nil)
    }
}
