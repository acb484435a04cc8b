import AdminDoor
import Foundation
import Testing

@testable import OpenAIDoor

@Suite struct APIKeysTests {

    @Test func keysNameTheirTenants() throws {
        let keys = try APIKeys(
            parsing:
                "# keys\n\n\(APIKeys.hash(of: "sk-one")) acme\n \(APIKeys.hash(of: "sk-two").uppercased())\tB-2.x \r\n",
            path: "f")
        #expect(keys.tenant(of: "sk-one") == "acme")
        #expect(keys.tenant(of: "sk-two") == "B-2.x")
        for key in ["", "sk-on", "sk-one ", APIKeys.hash(of: "sk-one")] { #expect(keys.tenant(of: key) == nil) }
    }

    /// FIPS 180-4's example.
    @Test func theHashIsSHA256() {
        #expect(
            APIKeys.hash(of: "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test(arguments: [
        ("x", "a line is a hash and a tenant"), ("# c\nabc t", "the hash is not 64 hexadecimal digits"),
        (APIKeys.hash(of: "a") + " t x", "a line is a hash and a tenant"),
        (APIKeys.hash(of: "a") + " ü", "a tenant is 1 to 64 letters, digits, dots, dashes and underscores"),
        (APIKeys.hash(of: "a") + " t\n" + APIKeys.hash(of: "a") + " u", "the same hash again"),
    ])
    func badLinesAreToldByNumber(_ text: String, _ reason: String) {
        let line = text.split(separator: "\n").count
        #expect(throws: APIKeys.LoadError.badLine(path: "f", line: line, reason: reason)) {
            try APIKeys(parsing: text, path: "f")
        }
    }

    @Test func filesThatAreEmptyOrAbsentAreRefused() {
        #expect(throws: APIKeys.LoadError.empty(path: "f")) { try APIKeys(parsing: "# none\n", path: "f") }
        #expect(throws: APIKeys.LoadError.self) { try APIKeys(contentsOf: "/nonexistent/keys") }
    }

    @Test func aDoorWithoutKeysMustStayOnLoopback() throws {
        let keys = try APIKeys(parsing: APIKeys.hash(of: "a") + " t", path: "f")
        let outside = DoorAddress(host: "0.0.0.0", port: 80)
        #expect(throws: DoorConfiguration.Exposed(address: outside)) {
            try DoorConfiguration(address: outside).checkExposure()
        }
        #expect(throws: Never.self) { try DoorConfiguration(address: outside, keys: keys).checkExposure() }
        #expect(throws: Never.self) {
            try DoorConfiguration(address: DoorAddress(host: "127.0.0.1", port: 80)).checkExposure()
        }
    }
}
