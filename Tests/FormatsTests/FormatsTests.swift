import Formats
import Foundation
import Testing

@Suite struct FormatsTests {
    @Test func jsonStringsComeBackFromAnotherReader() throws {
        for text in [
            "", "plain", "\"\\/\n\r\t\u{0}\u{1f}\u{7f}", "héé 🙂 \u{2028}", String(repeating: "\"", count: 300),
        ] {
            let literal = JSONText.literal(text)
            #expect(try JSONDecoder().decode([String].self, from: Data("[\(literal)]".utf8)) == [text])
            #expect(!literal.utf8.contains { $0 < 0x20 })
        }
        #expect(JSONText.literal("a\"\n") == #""a\"\u000a""#)
        var bytes: [UInt8] = [1]
        JSONText.append("x", to: &bytes)
        #expect(bytes == [1] + Array(#""x""#.utf8))
    }

    @Test func hexadecimalDigits() {
        #expect(Hexadecimal.text([0, 9, 10, 15, 16, 255] as [UInt8]) == "00090a0f10ff")
        #expect(Hexadecimal.text([]) == "")
        #expect(Hexadecimal.text(0 as UInt64) == "0000000000000000")
        #expect(Hexadecimal.text(0x0123_4567_89ab_cdef as UInt64) == "0123456789abcdef")
    }

    @Test(
        arguments: [
            (0, 1970, 1, 1), (-1, 1969, 12, 31), (11_016, 2000, 2, 29), (11_017, 2000, 3, 1), (47_481, 2099, 12, 31),
            (-719_468, 0, 3, 1), (-719_469, 0, 2, 29), (-135_081, 1600, 2, 29), (2_932_896, 9999, 12, 31),
        ] as [(Int64, Int64, Int64, Int64)])
    func days(_ days: Int64, _ year: Int64, _ month: Int64, _ day: Int64) {
        let date = CivilDate(year: year, month: month, day: day)
        #expect(CivilDate(days: days) == date)
        #expect(date.days == days)
    }

    /// Foundation's own calendar, which the code does not use, has the same days.
    @Test func everyThousandthDayIsFoundationsToo() throws {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(identifier: "UTC"))
        for days in stride(from: -100_000 as Int64, through: 1_000_000, by: 997) {
            let parts = calendar.dateComponents(
                [.year, .month, .day], from: Date(timeIntervalSince1970: Double(days) * 86_400))
            let date = CivilDate(days: days)
            #expect(parts.year == Int(date.year) && parts.month == Int(date.month) && parts.day == Int(date.day))
            #expect(date.days == days)
        }
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_782_400_500, "2000-02-29T00:00:00.500Z"),
            (-1000, "1969-12-31T23:59:59.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (4_102_444_799_999, "2099-12-31T23:59:59.999Z"),
        ] as [(Int64, String)])
    func timestamps(_ milliseconds: Int64, _ expected: String) {
        #expect(CivilDate.timestamp(milliseconds: milliseconds) == expected)
    }

    @Test func tablesAreAsWideAsTheirCells() {
        let table = TextTable(["name", "n"], [["a", "10"], ["longer", "5"]], rightAligned: [1])
        #expect("\(table)" == "name     n\na       10\nlonger   5")
    }
}
