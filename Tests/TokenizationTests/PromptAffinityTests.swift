import Testing
import Tokenization

@Suite struct PromptAffinityTests {
    @Test("The same beginning has one key for each tenant and salt")
    func keys() throws {
        let prompt = (0..<300).map { UInt32($0) }
        let key = try #require(PromptAffinity.of(prompt, tenant: "a", salt: ""))
        #expect(PromptAffinity.of(Array(prompt.prefix(256)) + [9], tenant: "a", salt: "") == key)
        let others = [("b", ""), ("a", "x"), ("", "a"), ("ax", "")].map {
            PromptAffinity.of(prompt, tenant: $0.0, salt: $0.1)
        }
        #expect(Set(others + [key]).count == 5)
        #expect(PromptAffinity.of(Array(prompt.prefix(255)), tenant: "a", salt: "") == nil)
    }
}
