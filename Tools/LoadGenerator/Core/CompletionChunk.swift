import Foundation
import Wire

/// What a chunk of an OpenAI stream says.
struct CompletionChunk: Equatable {
    var hasText = false
    var text = ""
    var finish: String?
    var promptTokens: Int?
    var cachedTokens = 0
    var tokens: Int?
    var error: String?
    var hops: [HopRecord] = []

    init() {}

    /// Reads a chunk; nil for what is no JSON object. Where only the arrival of text matters, most chunks are not
    /// decoded: inside a JSON string no quotation mark stands without a backslash, so the search cannot be deceived.
    init?(_ bytes: ArraySlice<UInt8>, keepsText: Bool) {
        if !keepsText, !Self.needsDecoding(bytes) {
            hasText = Self.hasText(bytes)
            return
        }
        guard let body = try? Self.decoder.decode(Body.self, from: Data(bytes)) else { return nil }
        for choice in body.choices ?? [] {
            // Reasoning is output too: its tokens are generated and paid for like the answer's.
            text += choice.delta?.reasoningContent ?? choice.delta?.reasoning ?? ""
            text += choice.delta?.content ?? choice.text ?? ""
            finish = finish ?? choice.finishReason
        }
        hasText = !text.isEmpty
        promptTokens = body.usage?.promptTokens
        tokens = body.usage?.completionTokens
        cachedTokens = body.usage?.promptTokensDetails?.cachedTokens ?? 0
        error = body.error?.message
        hops = (body.hops ?? []).compactMap { $0.record }
    }

    private static let marks = ["\"finish_reason\":\"", "\"usage\":{", "\"error\":", "\"hops\":["].map {
        Array($0.utf8)
    }
    private static let texts = [
        "\"content\":\"", "\"text\":\"", "\"reasoning_content\":\"", "\"reasoning\":\"",
    ].map { Array($0.utf8) }

    private static func needsDecoding(_ bytes: ArraySlice<UInt8>) -> Bool {
        // Written with a space, a chunk is of somebody else's making: decode it.
        marks.contains { find($0, in: bytes) != nil } || texts.allSatisfy { find($0, in: bytes) == nil }
    }

    private static func hasText(_ bytes: ArraySlice<UInt8>) -> Bool {
        texts.contains { text in
            guard let end = find(text, in: bytes), end < bytes.endIndex else { return false }
            return bytes[end] != UInt8(ascii: "\"")
        }
    }

    /// The index after the first occurrence.
    private static func find(_ pattern: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.count >= pattern.count else { return nil }
        for start in bytes.startIndex...(bytes.endIndex - pattern.count) where bytes[start] == pattern[0] {
            if bytes[start..<(start + pattern.count)].elementsEqual(pattern) { return start + pattern.count }
        }
        return nil
    }

    private static let decoder = JSONDecoder()

    /// Keys are written out: to convert each of them takes longer than all the rest.
    private struct Body: Decodable {
        struct Choice: Decodable {
            struct Delta: Decodable {
                var content: String?
                var reasoningContent: String?
                var reasoning: String?

                enum CodingKeys: String, CodingKey {
                    case content, reasoning
                    case reasoningContent = "reasoning_content"
                }
            }
            var delta: Delta?
            var text: String?
            var finishReason: String?

            enum CodingKeys: String, CodingKey {
                case delta, text
                case finishReason = "finish_reason"
            }
        }
        struct Usage: Decodable {
            struct Details: Decodable {
                var cachedTokens: Int?

                enum CodingKeys: String, CodingKey { case cachedTokens = "cached_tokens" }
            }
            var promptTokens: Int?
            var completionTokens: Int
            var promptTokensDetails: Details?

            enum CodingKeys: String, CodingKey {
                case promptTokens = "prompt_tokens"
                case completionTokens = "completion_tokens"
                case promptTokensDetails = "prompt_tokens_details"
            }
        }
        /// An object with a message, or whatever else a server says.
        struct Failure: Decodable {
            var message: String

            private enum CodingKeys: String, CodingKey { case message }

            init(from decoder: any Decoder) throws {
                if let text = try? decoder.singleValueContainer().decode(String.self) {
                    message = text
                } else if let object = try? decoder.container(keyedBy: CodingKeys.self),
                    let text = try? object.decode(String.self, forKey: .message)
                {
                    message = text
                } else {
                    message = "an error without a message"
                }
            }
        }
        var choices: [Choice]?
        var usage: Usage?
        var error: Failure?
        var hops: [Hop]?
    }

    /// One station's stamps as the HTTP door writes them.
    private struct Hop: Decodable {
        var station: String
        var phase: String
        var receivedNs: UInt64
        var begunNs: UInt64
        var sentNs: UInt64

        enum CodingKeys: String, CodingKey {
            case station, phase
            case receivedNs = "received_ns"
            case begunNs = "begun_ns"
            case sentNs = "sent_ns"
        }

        var record: HopRecord? {
            guard let station = StationRole.allCases.first(where: { $0.name == station || "\($0)" == station }),
                let phase = HopPhase.allCases.first(where: { $0.name == phase || "\($0)" == phase })
            else { return nil }
            return HopRecord(
                handle: 0, station: station, phase: phase, receivedAt: receivedNs, begunAt: begunNs, sentAt: sentNs)
        }
    }
}

extension StationRole {
    /// As it stands in tables and JSON.
    var name: String {
        switch self {
        case .client: "client"
        case .ingest: "ingest"
        case .tokenizer: "tokenizer"
        case .inferenceWorker: "inference-worker"
        case .accounting: "accounting"
        }
    }
}

extension HopPhase {
    /// As it stands in tables and JSON.
    var name: String {
        switch self {
        case .down: "down"
        case .firstToken: "first-token"
        case .lastToken: "last-token"
        }
    }
}
