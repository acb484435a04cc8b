import AdminDoor
import Foundation
import Hummingbird
import Logging
import ServiceLifecycle
import Telemetry
import Testing

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

@Suite struct AdminDoorTests {
    struct Answer: Equatable {
        var status: Int
        var body: String
    }

    func get(_ path: String, _ address: DoorAddress) async throws -> Answer {
        let url = try #require(URL(string: "http://\(address)\(path)"))
        let (data, response) = try await URLSession.shared.data(from: url)
        return Answer(
            status: (response as? HTTPURLResponse)?.statusCode ?? 0, body: String(decoding: data, as: UTF8.self))
    }

    func withDoor(
        health: @escaping @Sendable () async -> HealthReport, _ body: (DoorAddress) async throws -> Void
    ) async throws {
        let (addresses, found) = AsyncStream<DoorAddress>.makeStream()
        let metrics = MetricsRegistry()
        metrics.counter("c_total", help: "C.").increment()
        let door = AdminDoor(
            address: DoorAddress(host: "127.0.0.1", port: 0), metrics: metrics, logger: Logger(label: "t"),
            health: health,
            addRoutes: { router in router.get("/extra") { _, _ in "more" } },
            onBound: { found.yield($0) })
        let group = ServiceGroup(
            configuration: .init(services: [.init(service: door)], logger: Logger(label: "t")))
        async let served: Void = group.run()
        var iterator = addresses.makeAsyncIterator()
        let address = try #require(await iterator.next())
        #expect(address.port != 0)
        try await body(address)
        await group.triggerGracefulShutdown()
        try await served
    }

    @Test func servesItsRoutesAndTheAddedOnes() async throws {
        try await withDoor(health: { .ok }) { address in
            let live = try await get("/livez", address)
            #expect(live == Answer(status: 200, body: "{\"status\":\"ok\"}\n"))
            let health = try await get("/healthz", address)
            #expect(health == live)
            let metrics = try await get("/metrics", address)
            #expect(metrics.body == "# HELP c_total C.\n# TYPE c_total counter\nc_total 1\n")
            let extra = try await get("/extra", address)
            #expect(extra == Answer(status: 200, body: "more"))
            let nothing = try await get("/nothing", address)
            #expect(nothing.status == 404)
        }
    }

    @Test func aFailingProbeIs503WithItsReason() async throws {
        try await withDoor(health: { .failing("no \"worker\"") }) { address in
            let expected = Answer(status: 503, body: "{\"status\":\"failing\",\"reason\":\"no \\\"worker\\\"\"}\n")
            let health = try await get("/healthz", address)
            #expect(health == expected)
            let live = try await get("/livez", address)
            #expect(live.status == 200)
        }
    }

    @Test(arguments: [
        ("127.0.0.1:80", "127.0.0.1", 80, true), ("[::1]:0", "::1", 0, true), ("localhost:9", "localhost", 9, true),
        ("0.0.0.0:80", "0.0.0.0", 80, false), ("127.evil.example:1", "127.evil.example", 1, false),
        ("[::]:65535", "::", 65535, false), ("ingest:8080", "ingest", 8080, false),
        ("127.0.0.1.example:1", "127.0.0.1.example", 1, false),
    ])
    func addresses(_ text: String, _ host: String, _ port: Int, _ loopback: Bool) throws {
        let address = try DoorAddress(parsing: text)
        #expect(address == DoorAddress(host: host, port: port))
        #expect(address.isLoopback == loopback)
        #expect(address.description == text)
    }

    @Test(arguments: ["", ":80", "host", "host:", "host:65536", "host:-1", "host:+1", "::1:80", "a b:1", "[::1:1"])
    func refusesBadAddresses(_ text: String) {
        #expect(throws: DoorAddress.ParseError.self) { try DoorAddress(parsing: text) }
    }
}
