import AdminDoor
import Keys
import Testing

@testable import OpenAIDoor

@Suite struct DoorKeysTests {

    private static let body = #"{"model":"m","messages":[{"role":"user","content":"x"}]}"#

    @Test func aDoorWithoutKeysMustStayOnLoopback() throws {
        let keys = try KeyRing(parsing: KeyRing.hash(of: "a") + " t")
        let outside = DoorAddress(host: "0.0.0.0", port: 80)
        #expect(throws: DoorConfiguration.Exposed(address: outside)) {
            try DoorConfiguration(address: outside).checkExposure()
        }
        #expect(throws: Never.self) { try DoorConfiguration(address: outside, keys: keys).checkExposure() }
        #expect(throws: Never.self) {
            try DoorConfiguration(address: DoorAddress(host: "127.0.0.1", port: 80)).checkExposure()
        }
    }

    @Test func aKeyIsGoodInItsTimeAndForItsScopes() async throws {
        let keys = try KeyRing(
            parsing: """
                \(KeyRing.hash(of: "good")) acme expires=1700000001
                \(KeyRing.hash(of: "over")) acme expires=1700000000
                \(KeyRing.hash(of: "reports")) acme scopes=report
                """)
        let backend = ScriptedBackend.saying(["x"])
        try await TestDoor.with(backend, configure: { $0.keys = keys }) { door in
            for (key, status, code) in [
                ("good", 200, nil), ("over", 401, "expired_api_key"),
                ("reports", 403, "insufficient_permissions"), ("none", 401, "invalid_api_key"),
            ] {
                let answer = try await door.chat(Self.body, headers: ["Authorization": "Bearer \(key)"])
                #expect(answer.status == status)
                if let code { #expect(answer.text.contains(code)) }
            }
        }
    }
}
