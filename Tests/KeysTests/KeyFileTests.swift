import Foundation
import Testing

@testable import Keys

@Suite struct KeyFileTests {

    @Test func keysNameTheirTenants() throws {
        let ring = try KeyRing(
            parsing:
                "# keys\n\n\(KeyRing.hash(of: "sk-one")) acme\n \(KeyRing.hash(of: "sk-two").uppercased())\tB-2.x \r\n")
        #expect(ring.check("sk-one", scope: .infer, now: 0).grant?.tenant == "acme")
        #expect(ring.check("sk-two", scope: .infer, now: 0).grant?.tenant == "B-2.x")
        for key in ["", "sk-on", "sk-one ", KeyRing.hash(of: "sk-one")] {
            #expect(ring.check(key, scope: .infer, now: 0).grant == nil)
        }
    }

    /// FIPS 180-4's example.
    @Test func theHashIsSHA256() {
        #expect(KeyRing.hash(of: "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test func aLineSaysWhatItsKeyMayDo() throws {
        let curve = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
        let ring = try KeyRing(
            parsing: """
                \(KeyRing.hash(of: "a")) acme expires=2027-01-31 scopes=infer weight=4 waiting=256
                \(KeyRing.hash(of: "b")) acme expires=2027-01-31T00:00:10Z scopes=report,admin weight=4
                \(KeyRing.hash(of: "c")) acme expires=1801353600 client-key=\(curve)
                """)
        let grant = try #require(ring.check("a", scope: .infer, now: 1_801_353_599).grant)
        #expect(grant.weight == 4 && grant.waiting == 256 && grant.scopes == .infer && grant.curveKey == nil)
        guard case .expired = ring.check("a", scope: .infer, now: 1_801_353_600) else { #expect(Bool(false)); return }
        guard case .forbidden = ring.check("a", scope: .report, now: 0) else { #expect(Bool(false)); return }
        guard case .forbidden = ring.check("b", scope: .infer, now: 0) else { #expect(Bool(false)); return }
        #expect(ring.check("b", scope: [.report, .admin], now: 1_801_353_609).grant != nil)
        #expect(ring.check("b", scope: .admin, now: 1_801_353_610).grant == nil)
        // What is stated once for a tenant holds for all its keys.
        let other = try #require(ring.check("c", scope: [.infer, .report], now: 0).grant)
        #expect(other.weight == 4 && other.waiting == 256 && other.curveKey == curve)
        #expect(ring.curveKeys == [curve])
        #expect(ring.tenants == ["acme": TenantTerms(weight: 4, waiting: 256)])
    }

    @Test(arguments: [
        ("x", "a line is a hash and a tenant"), ("# c\nabc t", "the hash is not 64 hexadecimal digits"),
        ("HASH t x", "x is not name=value"),
        ("HASH ü", "a tenant is 1 to 64 letters, digits, dots, dashes and underscores"),
        ("HASH t\nHASH u", "the same hash again"),
        ("HASH t color=red", "unknown: color"),
        ("HASH t weight=2 weight=2", "weight stands twice"),
        ("HASH t weight=0", "weight is a number from 1 to 1000"),
        ("HASH t waiting=-1", "waiting is a number from 1 to 1000000"),
        ("HASH t scopes=", "scopes are infer, report and admin"),
        ("HASH t scopes=infer,root", "scopes are infer, report and admin"),
        ("HASH t requests-per-minute=1e3", "requests-per-minute is a number from 1 to 1000000000000"),
        ("HASH t client-key=abc", "client-key is a CURVE public key: 40 characters of Z85"),
        (
            "HASH t expires=tomorrow",
            "expires is a day (2027-01-31), a time in UTC (2027-01-31T12:00:00Z) or seconds since 1970"
        ),
        (String(repeating: "0", count: 64) + " t weight=2\nHASH t weight=3", "another line of t says another weight"),
    ])
    func badLinesAreToldByNumber(_ text: String, _ reason: String) {
        let line = text.split(separator: "\n").count
        #expect(throws: KeyFileError.badLine(path: "f", line: line, reason: reason)) {
            try KeyRing(parsing: text.replacing("HASH", with: KeyRing.hash(of: "a")), path: "f")
        }
    }

    @Test func filesThatAreEmptyOrAbsentAreRefused() {
        #expect(throws: KeyFileError.empty(path: "f")) { try KeyRing(parsing: "# none\n", path: "f") }
        #expect(throws: KeyFileError.self) { try KeyRing(contentsOf: "/nonexistent/keys") }
    }

    /// Whatever stands in a file, reading it ends with keys or with an error.
    @Test func damagedFilesDoNotTrap() {
        let good = "\(KeyRing.hash(of: "a")) acme expires=2027-01-31 scopes=infer weight=4 waiting=256 client-key=x\n"
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            var bytes = Array(good.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            _ = try? KeyRing(parsing: String(decoding: bytes, as: UTF8.self))
        }
    }
}
