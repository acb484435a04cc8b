import Testing

@testable import Transport

@Suite(.timeLimit(.minutes(5))) struct ResolverTests {
    @Test func `localhost has a loopback address`() async throws {
        let resolver = try Resolver()
        let addresses = try await resolver.resolve("localhost")
        #expect(addresses.contains("127.0.0.1") || addresses.contains("::1"))
        #expect(addresses == Array(Set(addresses)).sorted())
        let endpoints = try await resolver.resolve(Endpoint.tcp(host: "localhost", port: 7))
        #expect(endpoints == addresses.map { .tcp(host: $0, port: 7) })
    }

    @Test func `an address is its own answer`() async throws {
        let resolver = try Resolver()
        #expect(try await resolver.resolve("192.0.2.7") == ["192.0.2.7"])
        #expect(try await resolver.resolve("2001:db8::7") == ["2001:db8::7"])
        #expect(try await resolver.resolve(Endpoint.ipc(path: "/x")) == [.ipc(path: "/x")])
    }

    @Test(arguments: ["", "a\0b", "no-such-host.invalid"])
    func `a name without an address is an error that names it`(host: String) async throws {
        let resolver = try Resolver()
        await #expect {
            _ = try await resolver.resolve(host)
        } throws: { error in
            guard case .unresolved(host, _)? = error as? TransportError else { return false }
            return true
        }
    }

    @Test func `everybody who asks gets an answer`() async throws {
        let resolver = try Resolver()
        let answers = Collector<[String]>()
        for _ in 0..<50 { resolver.resolve("127.0.0.1") { answers.append((try? $0.get()) ?? []) } }
        #expect(await answers.wait(for: 50) == Array(repeating: ["127.0.0.1"], count: 50))
    }
}
