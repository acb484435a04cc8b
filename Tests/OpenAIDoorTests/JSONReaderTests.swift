import Seeds
import Foundation
import Testing

@testable import OpenAIDoor

@Suite struct JSONReaderTests {
    func read(_ text: String) throws -> JSONValue {
        try JSONReader.read(Array(text.utf8))
    }

    @Test func readsEveryKind() throws {
        let text = #" {"a":[1,-2,0,1.5,-1e2,true,false,null,"x"],"b":{"c":{}},"d":[]} "#
        let expected = JSONValue.object([
            .init(
                key: "a",
                value: .array([
                    .integer(1), .integer(-2), .integer(0), .number(1.5), .integer(-100), .bool(true), .bool(false),
                    .null, .string("x"),
                ])),
            .init(key: "b", value: .object([.init(key: "c", value: .object([]))])),
            .init(key: "d", value: .array([])),
        ])
        #expect(try read(text) == expected)
    }

    @Test(arguments: [
        (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"), (#""\u00e9\u4e2d\ud83d\ude00""#, "é中😀"),
        (#""é中😀""#, "é中😀"), (#""\u0000""#, "\0"), (#""""#, ""), (#""a\nb""#, "a\nb"),
        (#""\ud800\udc00""#, "\u{10000}"), (#""\udbff\udfff""#, "\u{10ffff}"),
    ])
    func strings(_ text: String, _ expected: String) throws {
        #expect(try read(text) == .string(expected))
    }

    @Test(arguments: [
        ("9223372036854775807", JSONValue.integer(.max)), ("-9223372036854775808", .integer(.min)),
        ("9223372036854775808", .large("9223372036854775808")), ("1.0", .integer(1)), ("1E3", .integer(1000)),
        ("9007199254740993.0", .integer(9_007_199_254_740_993)), ("-1.5e1", .integer(-15)), ("0.0", .integer(0)),
        ("9223372036854775807e0", .integer(.max)), ("1e19", .number(1e19)), ("1.25", .number(1.25)),
        ("-0", .integer(0)), ("1e-400", .number(0)),
    ])
    func numbers(_ text: String, _ expected: JSONValue) throws {
        #expect(try read(text) == expected)
    }

    @Test(arguments: [
        "", " ", "{", "[", "\"", "{\"a\"", "{\"a\":", "{\"a\":1", "[1", "[1,", "[1,]", "{\"a\":1,}", "{a:1}", "{'a':1}",
        "[1 2]", "1 2", "tru", "truE", "nul", "NaN", "Infinity", "-Infinity", "-", "+1", "01", "1.", ".5", "1e", "1e+",
        "0x10", "\"\u{1}\"", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\\ud800x\"",
        "1e999", "-1e999", "{\"a\":1,\"a\":2}", "\u{feff}{}", "[1]]", "//x\n1",
    ])
    func refuses(_ text: String) {
        #expect(throws: JSONReader.Failure.self) { try read(text) }
    }

    @Test func refusesWhatIsNotUTF8() {
        for bytes in [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe4, 0xb8], [0xf5, 0x80, 0x80, 0x80]] as [[UInt8]] {
            #expect(throws: JSONReader.Failure.self) { try JSONReader.read([0x22] + bytes + [0x22]) }
            #expect(throws: JSONReader.Failure.self) { try JSONReader.read(Array("\"\\n".utf8) + bytes + [0x22]) }
        }
    }

    @Test func isBounded() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: JSONReader.Failure(offset: 32, reason: "nested deeper than 32")) { try read(deep) }
        let objects = String(repeating: "{\"a\":", count: 100_000)
        #expect(throws: JSONReader.Failure.self) { try read(objects) }
        let wide = Array("[0,0,0,0,0,0,0,0,0]".utf8)
        #expect(throws: Never.self) { try JSONReader.read(wide, limits: .init(values: 10)) }
        #expect(throws: JSONReader.Failure.self) { try JSONReader.read(wide, limits: .init(values: 9)) }
        let keys = "{" + (0..<2000).map { "\"\($0)\":0" }.joined(separator: ",") + "}"
        #expect(throws: JSONReader.Failure.self) { try read(keys) }
        #expect(throws: JSONReader.Failure.self) { try read(String(repeating: "9", count: 100_000)) }
        let deepest = String(repeating: "[", count: 32) + String(repeating: "]", count: 32)
        #expect(throws: Never.self) { try read(deepest) }
    }

    /// Whatever this reader takes, Foundation's takes too; and no damage makes it trap.
    @Test func damagedTextsNeverTrapAndAreNeverTakenForJSONThatIsNone() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        let bodies = [
            #"{"model":"m","messages":[{"role":"user","content":"h\u00e9\ud83d\ude00\n"}],"stop":["a","b"],"seed":-5}"#,
            #"{"model":"m","prompt":[1,2,3.5e-3,400000],"stream":true,"stream_options":{"include_usage":true}}"#,
        ].map { Array($0.utf8) }
        for _ in 0..<20_000 {
            var bytes = bodies[Int(random.next() % 2)]
            for _ in 0...Int(random.next() % 4) {
                let index = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 3 {
                case 0: bytes[index] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.remove(at: index)
                default: bytes.insert(bytes[Int(random.next() % UInt64(bytes.count))], at: index)
                }
            }
            guard (try? JSONReader.read(bytes)) != nil else { continue }
            let other = try? JSONSerialization.jsonObject(with: Data(bytes), options: [.fragmentsAllowed])
            #expect(other != nil, "seed \(seed): \(String(decoding: bytes, as: UTF8.self))")
        }
    }
}
