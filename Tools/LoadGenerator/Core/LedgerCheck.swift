import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import Transport
import Wire

/// Compares what clients got with what the ledger says, request by request.
public struct LedgerCheck: Sendable {
    /// What was found.
    public struct Result: Equatable, Sendable {
        /// Settled, with the client's number of tokens.
        public var agreed = 0
        /// Requests that the client saw fail and that the ledger has ended, or never heard of.
        public var ended = 0
        /// Request and reason of each that is unaccounted for.
        public var faults: [String] = []

        public var isFlawless: Bool { faults.isEmpty }
    }

    private let base: String
    private let key: String?
    private let deadline: Double

    /// - Parameters:
    ///   - base: for instance `http://127.0.0.1:8081`.
    ///   - deadline: seconds in which the last record must have come.
    public init(base: String, key: String? = nil, deadline: Double = 30) {
        self.base = base.hasSuffix("/") ? String(base.dropLast()) : base
        self.key = key
        self.deadline = deadline
    }

    /// Asks for every claim until the ledger has ended it, or the deadline has passed.
    public func perform(_ claims: [LedgerClaim]) async -> Result {
        let end = MonotonicClock.now() + UInt64(deadline * 1e9)
        let client = HTTPClient(eventLoopGroupProvider: .singleton)
        var result = Result()
        await withTaskGroup(of: (LedgerClaim, Verdict).self) { group in
            var waiting = claims[...]
            func begin() {
                guard let claim = waiting.popFirst() else { return }
                group.addTask { (claim, await verdict(claim, client, until: end)) }
            }
            for _ in 0..<16 { begin() }
            while let (claim, verdict) = await group.next() {
                switch verdict {
                case .agreed: result.agreed += 1
                case .ended: result.ended += 1
                case .fault(let reason): result.faults.append("\(claim.id): \(reason)")
                }
                begin()
            }
        }
        try? await client.shutdown()
        return result
    }

    enum Verdict: Equatable {
        case agreed
        case ended
        case fault(String)
    }

    struct Row: Decodable {
        var state: String
        var deliveredTokens: Int?
    }

    /// What the ledger's answer means for a claim; nil: ask again.
    static func judge(_ claim: LedgerClaim, _ row: Row?) -> Verdict? {
        guard let row else { return claim.tokens == nil ? .ended : nil }
        switch (row.state, claim.tokens) {
        case ("reserved", _): return nil
        case ("settled", let tokens?):
            let delivered = row.deliveredTokens ?? 0
            return delivered == tokens
                ? .agreed : .fault("the client got \(tokens) tokens, the ledger says \(delivered)")
        case (_, nil): return .ended
        case (let state, _?): return .fault("the client got an answer, the ledger says \(state)")
        }
    }

    private func verdict(_ claim: LedgerClaim, _ client: HTTPClient, until end: UInt64) async -> Verdict {
        var reason = "not in the ledger"
        while true {
            do {
                let row = try await row(claim, client)
                if let verdict = Self.judge(claim, row) { return verdict }
                reason = row.map { "still \($0.state)" } ?? "not in the ledger"
            } catch {
                reason = "the ledger could not be asked: \(error)"
            }
            guard MonotonicClock.now() < end, (try? await Task.sleep(for: .milliseconds(50))) != nil else {
                return .fault(reason)
            }
        }
    }

    private func row(_ claim: LedgerClaim, _ client: HTTPClient) async throws -> Row? {
        var request = HTTPClientRequest(url: "\(base)/v1/requests/\(claim.id)")
        if let key { request.headers.add(name: "Authorization", value: "Bearer \(key)") }
        let response = try await client.execute(request, timeout: .seconds(10))
        let body = try await response.body.collect(upTo: 1 << 20)
        if response.status == .notFound { return nil }
        guard response.status == .ok else { throw UnexpectedStatus(code: Int(response.status.code)) }
        return try JSONCoding.decoder.decode(Row.self, from: Data(body.readableBytesView))
    }

    private struct UnexpectedStatus: Error, CustomStringConvertible {
        var code: Int
        var description: String { "HTTP \(code)" }
    }
}
