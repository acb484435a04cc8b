import AccountingService
import Foundation
import Hummingbird
import HummingbirdTesting
import Keys
import LedgerStore
import Station
import Testing
import Wire

/// The reports' door.
@Suite struct RouteTests {
    private func withDoor(
        keys: KeyRing?, _ body: @escaping @Sendable (any TestClientProtocol, TestAccounting) async throws -> Void
    ) async throws {
        let accounting = try TestAccounting()
        for (number, tenant) in [(1, "acme"), (2, "umbrella")] as [(UInt64, String)] {
            let request = Request(number: number, tenant: tenant)
            var reserve = request.reserve(by: 1)
            reserve.label = "mine"
            let batch = RecordBatch(first: number * 2 - 1, events: [reserve, request.settle(by: 1, delivered: 0)])
            _ = try accounting.store.apply([ProducerBatch(producer: 1, batch: batch)], now: 1)
        }
        let router = Router(context: BasicRequestContext.self)
        LedgerRoutes(accounting.store, keys: keys, auditGrace: 3_600_000_000_000).add(to: router)
        try await Application(router: router).test(.router) { try await body($0, accounting) }
    }

    private static func headers(_ key: String?) -> HTTPFields {
        key.map { [.authorization: "Bearer \($0)"] } ?? [:]
    }

    private static func id(_ number: UInt64) -> String { "/v1/requests/\(RequestID(high: 1, low: number))" }

    @Test func aKeySeesItsTenantsRowsAlone() async throws {
        let ring = try KeyRing(
            parsing: """
                \(KeyRing.hash(of: "acme-key")) acme
                \(KeyRing.hash(of: "infer-key")) acme scopes=infer
                \(KeyRing.hash(of: "admin-key")) site scopes=admin
                """)
        try await withDoor(keys: ring) { client, _ async throws in
            func status(_ uri: String, _ key: String?, _ method: HTTPRequest.Method = .get) async throws -> Int {
                try await client.execute(uri: uri, method: method, headers: Self.headers(key)) { $0.status.code }
            }
            #expect(try await status(Self.id(1), "acme-key") == 200)
            #expect(try await status(Self.id(2), "acme-key") == 404)
            #expect(try await status(Self.id(2), "admin-key") == 200)
            #expect(try await status(Self.id(1), nil) == 401)
            #expect(try await status(Self.id(1), "nobody's") == 401)
            #expect(try await status(Self.id(1), "infer-key") == 403)
            #expect(try await status("/v1/audits", "acme-key", .post) == 403)
            #expect(try await status("/v1/audit", "acme-key") == 403)
            #expect(try await status("/v1/requests?label=mine", "admin-key") == 400)
            try await client.execute(
                uri: "/v1/requests?label=mine&tenant=umbrella", method: .get, headers: Self.headers("acme-key")
            ) { response in
                let text = String(buffer: response.body)
                #expect(text.contains("acme") && !text.contains("umbrella"))
            }
            try await client.execute(uri: "/v1/report?by=tenant", method: .get, headers: Self.headers("acme-key")) {
                let text = String(buffer: $0.body)
                #expect(text.contains("acme") && !text.contains("umbrella"))
            }
        }
    }

    @Test func anAuditIsAJobWhoseResultIsKept() async throws {
        try await withDoor(keys: nil) { client, _ async throws in
            func audit(_ uri: String, _ method: HTTPRequest.Method) async throws -> (Int, String) {
                try await client.execute(uri: uri, method: method) { ($0.status.code, String(buffer: $0.body)) }
            }
            #expect(try await audit("/v1/audit", .get).0 == 202)
            #expect(
                try await becomes {
                    let (code, text) = try await audit("/v1/audit", .get)
                    return code == 200 && text.contains("\"passed\":true")
                })
            #expect(try await audit("/v1/audits", .post).0 == 202)
            // The last result stands while the next is made.
            #expect(try await audit("/v1/audits", .get).1.contains("\"passed\":true"))
        }
    }

    @Test func anAuditListsApartWhatHasJustEnded() async throws {
        try await withDoor(keys: nil) { client, accounting async throws in
            func settle(_ number: UInt64, at now: UInt64) throws {
                let batch = RecordBatch(
                    first: number, events: [Request(number: number, tenant: "acme").settle(by: 1, delivered: 5)])
                _ = try accounting.store.apply([ProducerBatch(producer: 1, batch: batch)], now: now)
            }
            func audit(_ uri: String) async throws -> String {
                try await client.execute(uri: uri, method: .get) { String(buffer: $0.body) }
            }
            try settle(5, at: WallClock.now())
            #expect(
                try await becomes {
                    let text = try await audit("/v1/audit")
                    return text.contains("\"passed\":true") && text.contains("\"pending\":1")
                        && text.contains("\"pending_requests\":[\"pending [coverage]")
                })
            try settle(6, at: 1)
            _ = try await client.execute(uri: "/v1/audits", method: .post) { $0.status }
            #expect(
                try await becomes {
                    let text = try await audit("/v1/audits")
                    return text.contains("\"passed\":false") && text.contains("\"violations\":1")
                        && text.contains("\"pending\":1")
                })
        }
    }
}
