import Testing

@testable import OpenAIDoor

/// What requests say of themselves by header fields, and requests for several answers.
@Suite struct DoorRequestsTests {
    private static let hello = DoorServingTests.hello
    private static let two = #"{"model":"m","messages":[{"role":"user","content":"hi"}],"n":2"#

    // MARK: Labels, keys, times

    @Test func aLabelIsEchoedAndNeverTheOperationsID() async throws {
        let backend = ScriptedBackend.saying(["a"])
        try await TestDoor.with(backend) { door in
            for label in ["mine", "fedcba98-7654-3210-fedc-ba9876543210", "a b~!", String(repeating: "x", count: 256)] {
                for body in [Self.hello, DoorServingTests.streamed] {
                    let answer = try await door.chat(body, headers: ["X-Request-Id": label])
                    #expect(answer.status == 200)
                    #expect(answer.headers["x-request-id"] == label)
                    #expect(answer.headers["x-operation-id"] == TestDoor.id)
                    #expect(answer.text.contains(#""id":"chatcmpl-\#(TestDoor.id)""#))
                    #expect(backend.requests.last?.label == label)
                }
            }
            for label in [String(repeating: "x", count: 257), "é"] {
                let answer = try await door.chat(Self.hello, headers: ["X-Request-Id": label])
                #expect(answer.status == 400)
                #expect(answer.text.contains(#""param":"X-Request-Id""#))
            }
        }
    }

    @Test func keysAndTimesReachTheBackend() async throws {
        let backend = ScriptedBackend.saying(["a"])
        try await TestDoor.with(backend) { door in
            let answer = try await door.chat(
                Self.hello, headers: ["Idempotency-Key": "k-1", "x-request-timeout-ms": "1500"])
            #expect(answer.status == 200)
            #expect(backend.requests.last?.idempotencyKey == "k-1")
            #expect(backend.requests.last?.timeoutNanoseconds == 1_500_000_000)
            for (name, value) in [
                ("Idempotency-Key", String(repeating: "k", count: 256)), ("x-request-timeout-ms", "0"),
                ("x-request-timeout-ms", "1.5"), ("x-request-timeout-ms", "86400001"),
            ] {
                let bad = try await door.chat(Self.hello, headers: [name: value])
                #expect(bad.status == 400 && bad.text.contains(name))
            }
            let several = try await door.chat(Self.two + "}", headers: ["Idempotency-Key": "k-2"])
            #expect(several.status == 400)
        }
    }

    @Test func ignoredFieldsAreNamedAndCounted() async throws {
        try await TestDoor.with(.saying(["a"])) { door in
            let body = #"{"model":"m","messages":[{"role":"user","content":"x"}],"zeta":1,"a\r\nb,é":2}"#
            let answer = try await door.chat(body)
            #expect(answer.status == 200)
            #expect(answer.headers["x-ignored-fields"] == "a??b???, zeta")
            #expect(try await door.chat(Self.hello).headers["x-ignored-fields"] == nil)
            let metrics = try await door.call("GET", "/metrics")
            #expect(metrics.text.contains("tokenfactory_http_ignored_fields_total 2"))
        }
        try await TestDoor.with(.saying(["a"]), configure: { $0.strictFields = true }) { door in
            let body = #"{"model":"m","messages":[{"role":"user","content":"x"}],"zeta":1}"#
            let answer = try await door.chat(body)
            #expect(answer.status == 400 && answer.text.contains("unknown_parameter"))
        }
    }

    // MARK: Several answers

    @Test func severalAnswersComeTogether() async throws {
        let backend = ScriptedBackend { request, stream in
            guard case .text(let text) = request.prompt else { return }
            // The first text may go out before the end is there.
            stream.note(promptTokens: 3, cachedTokens: 1)
            stream.push(ArraySlice("<\(text)\(request.sampling.seed ?? 0)".utf8), tokenCount: 1)
            stream.pushAwaited(ArraySlice(">".utf8), tokenCount: 1)
            let usage = DoorUsage(promptTokens: 3, completionTokens: 2, cachedTokens: 1)
            stream.finish(.finished(DoorFinish(reason: .stop, usage: usage)))
        }
        try await TestDoor.with(backend) { door in
            let body = #"{"model":"m","prompt":["a","b"],"n":2,"seed":5"#
            let whole = try await door.complete(body + "}")
            let choices = (0..<4).map { index in
                let text = ["<a5>", "<a6>", "<b5>", "<b6>"][index]
                return #"{"index":\#(index),"text":"\#(text)","logprobs":null,"finish_reason":"stop"}"#
            }
            #expect(whole.text.contains(#""choices":[\#(choices.joined(separator: ","))]"#))
            #expect(
                whole.text.contains(#""usage":{"prompt_tokens":12,"completion_tokens":8,"total_tokens":20,"#))
            #expect(whole.headers["x-operation-id"]?.split(separator: ", ").count == 4)

            let streamed = try await door.complete(body + #","stream":true,"stream_options":{"include_usage":true}}"#)
            let usage = try await door.complete(
                body + #","stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}}"#)
            for event in usage.events.dropLast(2) { #expect(event.contains(#""usage":{"prompt_tokens":3,"#)) }
            for index in 0..<4 {
                let own = streamed.events.filter { $0.contains(#""index":\#(index),"#) }
                #expect(own.last?.contains(#""finish_reason":"stop""#) == true)
                #expect(own.dropLast().allSatisfy { $0.contains(#""finish_reason":null"#) })
            }
            #expect(streamed.events.filter { $0 == "[DONE]" }.count == 1)
            #expect(streamed.events.dropLast().last?.contains(#""completion_tokens":8"#) == true)
        }
    }

    /// What one got is not to be billed when the client gets none of it.
    @Test(.timeLimit(.minutes(5))) func oneThatFailsEndsThemAll() async throws {
        let backend = ScriptedBackend { request, stream in
            if request.sampling.seed == 1 {
                stream.finish(.failed(DoorFailure(.unavailable, "gone")))
            } else {
                stream.pushAwaited(ArraySlice("x".utf8), tokenCount: 1)
            }
        }
        try await TestDoor.with(backend) { door in
            let answer = try await door.chat(Self.two + #","seed":0}"#)
            #expect(answer.status == 503 && answer.text.contains("gone"))
            #expect(answer.headers["x-operation-id"]?.split(separator: ", ").count == 2)
            var events: [ScriptedBackend.Event] = []
            for await event in backend.events {
                events.append(event)
                if case .cancelled = event { break }
            }
            #expect(events.contains(.cancelled(1, deliveredTokens: 0)))
            #expect(!events.contains { if case .accepted = $0 { true } else { false } })
        }
    }

    // MARK: Signs of life

    @Test func aLongWaitIsToldOf() async throws {
        let (mayGoOn, goOn) = AsyncStream<Bool>.makeStream()
        let backend = ScriptedBackend { _, stream in
            for await isGood in mayGoOn {
                guard isGood else {
                    stream.finish(.failed(DoorFailure(.unavailable, "gone")))
                    return
                }
                stream.push(ArraySlice("x".utf8), tokenCount: 1)
                stream.finish(
                    .finished(DoorFinish(reason: .stop, usage: DoorUsage(promptTokens: 1, completionTokens: 1))))
                return
            }
        }
        try await TestDoor.with(
            backend,
            configure: {
                $0.firstComment = .milliseconds(20)
                $0.laterComments = .milliseconds(20)
                $0.sweepInterval = .milliseconds(5)
            }
        ) { door in
            let connection = try await RawConnection(port: door.port)
            let body = DoorServingTests.streamed
            try await connection.send(
                (TestDoor.head("POST", "/v1/chat/completions", length: body.utf8.count) + body).utf8)
            for _ in 0..<2 {
                let isTold = await connection.read(until: "\r\n: in the works\n\n\r\n")
                #expect(isTold)
            }
            goOn.yield(true)
            let answer = await connection.response()
            #expect(answer?.status == 200)
            #expect(answer?.events.last == "[DONE]")
            try? await connection.close()
            // An error after the head is an event.
            let other = try await RawConnection(port: door.port)
            try await other.send((TestDoor.head("POST", "/v1/chat/completions", length: body.utf8.count) + body).utf8)
            let isTold = await other.read(until: "in the works")
            #expect(isTold)
            goOn.yield(false)
            let failed = await other.response()
            #expect(failed?.status == 200)
            #expect(failed?.events.suffix(2).first?.hasPrefix(#"{"error":{"message":"gone""#) == true)
            try? await other.close()
        }
    }

    // MARK: Routes and browsers

    @Test func routesOfOtherServersAreThere() async throws {
        try await TestDoor.with(.saying(["a"])) { door in
            for path in ["/health", "/ping", "/version", "/openapi.json", "/v1/models/", "//v1//models"] {
                #expect(try await door.call("GET", path).status == 200, "\(path)")
                #expect(try await door.call("POST", path).status == 405, "\(path)")
                let connection = try await RawConnection(port: door.port)
                try await connection.send(TestDoor.head("HEAD", path, headers: ["Connection": "close"]).utf8)
                while await connection.readMore() {}
                let text = String(decoding: connection.received, as: UTF8.self)
                #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n") && text.hasSuffix("\r\n\r\n"), "\(path)")
            }
            #expect(
                try await door.call("POST", "/v1/chat/completions/", Array(Self.hello.utf8)).status == 200)
            let document = try await door.call("GET", "/openapi.json")
            #expect(throws: Never.self) { try JSONReader.read(document.body) }
        }
    }

    @Test func pagesOfListedOriginsMayAsk() async throws {
        let origin = "https://chat.example"
        try await TestDoor.with(.saying(["a"]), configure: { $0.corsOrigins = [origin] }) { door in
            let preflight = try await door.call(
                "OPTIONS", "/v1/chat/completions",
                headers: [
                    "Origin": origin, "Access-Control-Request-Method": "POST",
                    "Access-Control-Request-Headers": "authorization,content-type",
                ])
            #expect(preflight.status == 204)
            #expect(preflight.headers["access-control-allow-origin"] == origin)
            #expect(preflight.headers["access-control-allow-headers"] == "authorization, content-type")
            let answer = try await door.chat(Self.hello, headers: ["Origin": origin])
            #expect(answer.headers["access-control-allow-origin"] == origin)
            let other = try await door.chat(Self.hello, headers: ["Origin": "https://other.example"])
            #expect(other.headers["access-control-allow-origin"] == nil)
        }
        try await TestDoor.with(.saying(["a"])) { door in
            let answer = try await door.call("OPTIONS", "/v1/models", headers: ["Origin": origin])
            #expect(answer.status == 405)
        }
    }

    // MARK: Encodings

    /// Made by Python's gzip and zlib of `DoorServingTests.hello`.
    @Test func compressedBodiesAreRead() async throws {
        let backend = ScriptedBackend.saying(["a"])
        try await TestDoor.with(backend, configure: { $0.bodyLimit = 4096 }) { door in
            for (coding, body) in [("gzip", CompressedBodies.gzip), ("deflate", CompressedBodies.deflate)] {
                let answer = try await door.call(
                    "POST", "/v1/chat/completions", body, headers: ["Content-Encoding": coding])
                #expect(answer.status == 200, "\(coding): \(answer.text)")
                #expect(backend.requests.last?.prompt == .chat([.init(role: "user", content: "hi")]))
            }
            let bomb = try await door.call(
                "POST", "/v1/chat/completions", CompressedBodies.megabyte, headers: ["Content-Encoding": "gzip"])
            #expect(bomb.status == 413)
            let broken = try await door.call(
                "POST", "/v1/chat/completions", Array(Self.hello.utf8), headers: ["Content-Encoding": "gzip"])
            #expect(broken.status == 400)
            let other = try await door.chat(Self.hello, headers: ["Content-Encoding": "br"])
            #expect(other.status == 415)
        }
    }
}
