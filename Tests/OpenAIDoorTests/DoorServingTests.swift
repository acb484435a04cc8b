import AdminDoor
import Keys
import NIOCore
import Testing

@testable import OpenAIDoor

@Suite struct DoorServingTests {
    static let hello = #"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#
    static let streamed =
        #"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}"#

    @Test func aChatIsAnsweredInOneObject() async throws {
        let backend = ScriptedBackend.saying(["Hel", "lo\n"])
        try await TestDoor.with(backend) { door in
            let answer = try await door.chat(Self.hello)
            #expect(answer.status == 200)
            #expect(answer.headers["content-type"] == "application/json")
            #expect(answer.headers["x-request-id"] == TestDoor.id)
            #expect(
                answer.text == #"{"id":"chatcmpl-0123456789abcdef0123456789abcdef","object":"chat.completion","#
                    + #""created":1700000000,"model":"m","system_fingerprint":"fp_test","choices":[{"index":0,"#
                    + #""message":{"role":"assistant","content":"Hello\n","refusal":null},"logprobs":null,"#
                    + #""finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"#
                    + #""prompt_tokens_details":{"cached_tokens":2}}}"#)
            let request = backend.requests.first
            #expect(request?.tenant == "default")
            #expect(request?.label == "" && request?.idempotencyKey == "")
            #expect(request?.prompt == .chat([.init(role: "user", content: "hi")]))
        }
    }

    @Test func aChatIsStreamed() async throws {
        try await TestDoor.with(.saying(["Hel", "lo"], .length)) { door in
            let answer = try await door.chat(Self.streamed)
            #expect(answer.status == 200)
            #expect(answer.headers["content-type"] == "text/event-stream; charset=utf-8")
            let events = answer.events
            #expect(events.last == "[DONE]")
            let usage = events.dropLast().last ?? ""
            #expect(usage.contains(#""choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"#))
            #expect(events.dropLast(2).last?.contains(#""delta":{},"logprobs":null,"finish_reason":"length""#) == true)
            #expect(events.first?.contains(#""delta":{"role":"assistant","content":"Hel"#) == true)
            for event in events.dropLast() {
                #expect(throws: Never.self) { try JSONReader.read(Array(event.utf8)) }
            }
        }
    }

    @Test func aCompletionOfTokenIDsIsStreamedWithoutUsage() async throws {
        let backend = ScriptedBackend.saying(["x"])
        try await TestDoor.with(backend) { door in
            let answer = try await door.complete(#"{"model":"m","prompt":[1,2],"stream":true,"max_tokens":3}"#)
            #expect(answer.events.count == 3)
            #expect(answer.events.first?.contains(#""object":"text_completion""#) == true)
            #expect(!answer.text.contains("usage"))
            #expect(backend.requests.first?.prompt == .tokens([1, 2]))
            #expect(backend.requests.first?.maximumTokens == 3)
        }
    }

    @Test func tokensThatAreReadyTogetherShareAnEvent() async throws {
        let backend = ScriptedBackend.saying((0..<1000).map { "\($0) " })
        try await TestDoor.with(backend) { door in
            let answer = try await door.chat(Self.streamed)
            #expect(answer.events.count < 500)
            let text = try answer.events.dropLast(3).map { event -> String in
                let part = try #require(event.firstRange(of: #""content":""#))
                return String(event[part.upperBound...].prefix { $0 != "\"" })
            }.joined()
            #expect(text == (0..<1000).map { "\($0) " }.joined())
        }
    }

    @Test func textComesAsSoonAsItIsThere() async throws {
        let (mayGoOn, goOn) = AsyncStream<Void>.makeStream()
        let backend = ScriptedBackend { _, stream in
            stream.push(ArraySlice("first".utf8), tokenCount: 1)
            for await _ in mayGoOn { break }
            stream.finish(
                .finished(DoorFinish(reason: .stop, usage: DoorUsage(promptTokens: 1, completionTokens: 1))))
        }
        try await TestDoor.with(backend) { door in
            let connection = try await RawConnection(port: door.port)
            let head = TestDoor.head("POST", "/v1/chat/completions", length: Self.streamed.utf8.count)
            try await connection.send((head + Self.streamed).utf8)
            let isThere = await connection.read(until: "first")
            #expect(isThere)
            goOn.yield()
            let isDone = await connection.read(until: "[DONE]")
            #expect(isDone)
            try await connection.close()
        }
    }

    @Test func aConnectionServesRequestAfterRequest() async throws {
        try await TestDoor.with(.saying(["a"])) { door in
            let connection = try await RawConnection(port: door.port)
            for body in [Self.hello, Self.streamed, "{", Self.hello, Self.streamed] {
                let head = TestDoor.head("POST", "/v1/chat/completions", length: body.utf8.count)
                try await connection.send((head + body).utf8)
                let answer = await connection.response()
                #expect(answer?.status == (body == "{" ? 400 : 200))
            }
            try await connection.close()
        }
    }

    @Test func requestsThatDoNotWaitAreAnsweredInTheirOrder() async throws {
        try await TestDoor.with(.saying(["a"])) { door in
            let connection = try await RawConnection(port: door.port)
            var all = ""
            for body in [Self.hello, Self.streamed, "{", Self.streamed] {
                all += TestDoor.head("POST", "/v1/chat/completions", length: body.utf8.count) + body
            }
            all += TestDoor.head("GET", "/livez") + TestDoor.head("GET", "/nowhere")
            try await connection.send(all.utf8)
            var statuses: [Int] = []
            for _ in 0..<6 { statuses.append(await connection.response()?.status ?? 0) }
            #expect(statuses == [200, 200, 400, 200, 200, 404])
            try await connection.close()
        }
    }

    /// Many that are answered at once must not deepen the stack.
    @Test func aThousandRequestsAtOnceAreAnswered() async throws {
        try await TestDoor.with(.saying(["a"])) { door in
            let connection = try await RawConnection(port: door.port)
            let one = TestDoor.head("PUT", "/nowhere")
            try await connection.send(String(repeating: one, count: 1000).utf8)
            for _ in 0..<1000 {
                let answer = await connection.response()
                #expect(answer?.status == 404)
            }
            try await connection.close()
        }
    }

    @Test func theHeadOfAStreamIsComplete() async throws {
        try await TestDoor.with(.saying(["x"])) { door in
            let connection = try await RawConnection(port: door.port)
            let head = TestDoor.head("POST", "/v1/chat/completions", length: Self.streamed.utf8.count)
            try await connection.send((head + Self.streamed).utf8)
            let answer = await connection.response()
            #expect(
                answer?.headers == [
                    "x-request-id": TestDoor.id, "x-operation-id": TestDoor.id, "cache-control": "no-cache",
                    "content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no",
                    "date": "Tue, 14 Nov 2023 22:13:20 GMT", "transfer-encoding": "chunked",
                ])
            try await connection.close()
        }
    }

    @Test func aClientOfTheOldProtocolGetsNoChunks() async throws {
        try await TestDoor.with(.saying(["x"])) { door in
            let connection = try await RawConnection(port: door.port)
            let body = Self.streamed
            let head =
                "POST /v1/chat/completions HTTP/1.0\r\nContent-Type: application/json\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n"
            try await connection.send((head + body).utf8)
            let answer = await connection.response()
            #expect(answer?.headers["connection"] == "close")
            #expect(answer?.headers["transfer-encoding"] == nil)
            #expect(answer?.events.last == "[DONE]")
        }
    }

    @Test func theBodyIsLeftOutWhereOnlyTheHeadIsAskedFor() async throws {
        try await TestDoor.with(.saying(["x"])) { door in
            let connection = try await RawConnection(port: door.port)
            try await connection.send((TestDoor.head("HEAD", "/v1/models") + TestDoor.head("GET", "/livez")).utf8)
            let isThere = await connection.read(until: #"{"status":"ok"}"#)
            #expect(isThere)
            let text = String(decoding: connection.received, as: UTF8.self)
            #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(text.contains("Content-Length: 27\r\n") && !text.contains("\"object\":\"list\""))
            try await connection.close()
        }
    }

    @Test func theTargetMayCarryAQueryOrAnAuthority() async throws {
        try await TestDoor.with(ScriptedBackend { _, _ in }) { door in
            for target in ["/v1/models?x=1", "http://door/v1/models", "http://door:1/v1/models?x=/v1"] {
                let answer = try await door.call("GET", target)
                #expect(answer.status == 200, "\(target)")
            }
        }
    }

    @Test(arguments: [
        (Int64(0), "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_827_696, "Tue, 29 Feb 2000 12:34:56 GMT"), (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"), (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
    ])
    func datesAreWrittenAsHTTPWantsThem(_ seconds: Int64, _ text: String) {
        #expect(String(buffer: HTTPDate(seconds: seconds).text) == text)
    }

    @Test func hopsComeOnRequest() async throws {
        let backend = ScriptedBackend { request, stream in
            let hop = DoorHop(station: "ingest", phase: "down", receivedAt: 1, begunAt: 2, sentAt: 3)
            stream.finish(
                .finished(
                    DoorFinish(
                        reason: .stop, usage: DoorUsage(promptTokens: 1, completionTokens: 0),
                        hops: request.wantsHops ? [hop] : [])))
        }
        try await TestDoor.with(backend) { door in
            let plain = try await door.chat(Self.hello)
            #expect(!plain.text.contains("hops"))
            let byHeader = try await door.chat(Self.hello, headers: ["X-Hops": "1"])
            #expect(byHeader.text.contains(#""hops":[{"station":"ingest","phase":"down","received_ns":1"#))
            let byField = try await door.complete(#"{"model":"m","prompt":"x","hops":true,"stream":true}"#)
            #expect(byField.events.first?.contains(#""hops":[{"#) == true)
        }
    }

    @Test(arguments: [
        (DoorFailure(.invalidRequest, "M", parameter: "prompt"), 400, "invalid_value"),
        (DoorFailure(.contextLengthExceeded, "M", parameter: "messages"), 400, "context_length_exceeded"),
        (DoorFailure(.unauthenticated, "M"), 401, "invalid_api_key"),
        (DoorFailure(.unknownModel, "M"), 404, "model_not_found"),
        (DoorFailure(.forbidden, "M"), 403, "insufficient_permissions"),
        (DoorFailure(.conflict, "M"), 409, "idempotency_key_in_use"),
        (DoorFailure(.keyMismatch, "M"), 422, "idempotency_key_mismatch"),
        (DoorFailure(.deadlineExceeded, "M"), 504, "deadline_exceeded"),
        (DoorFailure(.rateLimited, "M", retryAfterMilliseconds: 1500), 429, "rate_limit_exceeded"),
        (DoorFailure(.busy, "M", retryAfterMilliseconds: 1500), 429, "rate_limit_exceeded"),
        (DoorFailure(.unavailable, "M"), 503, "service_unavailable"),
        (DoorFailure(.internalError, "M"), 500, "internal_error"),
    ])
    func failuresBecomeStatuses(_ failure: DoorFailure, _ status: Int, _ code: String) async throws {
        try await TestDoor.with(.failing(failure)) { door in
            for body in [Self.hello, Self.streamed] {
                let answer = try await door.chat(body)
                #expect(answer.status == status)
                if failure.kind != .contextLengthExceeded { #expect(answer.text.contains(#""message":"M""#)) }
                #expect(answer.text.contains(#""code":"\#(code)""#))
                #expect(answer.headers["content-type"] == "application/json")
                if status == 429 {
                    #expect(answer.headers["retry-after"] == "2")
                    #expect(answer.headers["retry-after-ms"] == "1500")
                }
                if status == 409 { #expect(answer.headers["x-should-retry"] == "false") }
            }
        }
    }

    @Test func aFailureAfterTheFirstTextIsAnEvent() async throws {
        let (mayFail, fail) = AsyncStream<Void>.makeStream()
        let backend = ScriptedBackend { _, stream in
            stream.push(ArraySlice("a".utf8), tokenCount: 1)
            for await _ in mayFail { break }
            stream.finish(.failed(DoorFailure(.internalError, "broke")))
        }
        try await TestDoor.with(backend) { door in
            let connection = try await RawConnection(port: door.port)
            let head = TestDoor.head("POST", "/v1/chat/completions", length: Self.streamed.utf8.count)
            try await connection.send((head + Self.streamed).utf8)
            _ = await connection.read(until: "\"content\":\"a\"")
            fail.yield()
            let answer = await connection.response()
            #expect(answer?.status == 200)
            #expect(
                answer?.events.suffix(2) == [
                    #"{"error":{"message":"broke","type":"server_error","param":null,"code":"internal_error"}}"#,
                    "[DONE]",
                ])
            try await connection.close()
        }
    }

    @Test func modelsAreListed() async throws {
        let backend = ScriptedBackend(models: [
            DoorModel(id: "org/small", created: 5, contextLength: 2048), DoorModel(id: "b"),
        ]) { _, _ in }
        try await TestDoor.with(backend) { door in
            let small =
                #"{"id":"org/small","object":"model","created":5,"owned_by":"token-factory","max_model_len":2048}"#
            let list = try await door.call("GET", "/v1/models")
            #expect(
                list.text == #"{"object":"list","data":["# + small
                    + #",{"id":"b","object":"model","created":0,"owned_by":"token-factory"}]}"#)
            let one = try await door.call("GET", "/v1/models/org/small")
            #expect(one.text == small)
            let escaped = try await door.call("GET", "/v1/models/org%2Fsmall")
            #expect(escaped.text == small)
            let none = try await door.call("GET", "/v1/models/c")
            #expect(none.status == 404)
            #expect(none.text.contains(#""code":"model_not_found""#))
        }
    }

    @Test func keysAreAskedFor() async throws {
        let keys = try KeyRing(parsing: KeyRing.hash(of: "sk-1") + " acme", path: "f")
        let backend = ScriptedBackend.saying(["a"])
        try await TestDoor.with(backend, configure: { $0.keys = keys }) { door in
            for headers in [[:], ["Authorization": "Bearer sk-2"], ["Authorization": "sk-1"]] {
                let answer = try await door.chat(Self.hello, headers: headers)
                #expect(answer.status == 401)
                #expect(answer.headers["www-authenticate"] == "Bearer")
                #expect(!answer.text.contains("sk-"))
            }
            let models = try await door.call("GET", "/v1/models")
            #expect(models.status == 401)
            let answer = try await door.chat(Self.hello, headers: ["Authorization": "Bearer sk-1"])
            #expect(answer.status == 200)
            #expect(backend.requests.map(\.tenant) == ["acme"])
            let live = try await door.call("GET", "/livez")
            #expect(live.status == 200)
        }
    }

    @Test func wrongPathsMethodsAndTypesAreToldInTheSameShape() async throws {
        try await TestDoor.with(.saying(["a"])) { door in
            let unknown = try await door.call("POST", "/v1/embeddings", Array("{}".utf8))
            #expect(unknown.status == 404)
            #expect(unknown.text.contains(#""code":"unknown_url""#))
            let method = try await door.call("GET", "/v1/chat/completions")
            #expect(method.status == 405)
            #expect(method.headers["allow"] == "POST")
            for type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
                let answer = try await door.chat(Self.hello, headers: ["Content-Type": type])
                #expect(answer.status == 415)
                #expect(answer.text.contains(#""code":"unsupported_media_type""#))
            }
            let charset = try await door.chat(
                Self.hello, headers: ["Content-Type": "Application/JSON; charset=utf-8"])
            #expect(charset.status == 200)
        }
    }

    @Test func theOperatorsRoutesAreThereToo() async throws {
        let backend = ScriptedBackend(health: .failing("no worker")) { _, stream in
            stream.finish(.failed(DoorFailure(.busy, "Full.")))
        }
        try await TestDoor.with(backend) { door in
            _ = try await door.chat(Self.hello)
            let live = try await door.call("GET", "/livez")
            #expect(live.status == 200)
            let health = try await door.call("GET", "/healthz")
            #expect(health.status == 503)
            #expect(health.text.contains("no worker"))
            let metrics = try await door.call("GET", "/metrics")
            #expect(metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(
                metrics.text.contains(
                    #"tokenfactory_http_requests_total{route="chat_completions",status="429"} 1"#))
            #expect(metrics.text.contains("tokenfactory_http_open_requests 0"))
        }
    }
}
