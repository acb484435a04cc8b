import Keys
import Testing

@testable import OpenAIDoor

/// What a client can do wrong, by mistake or on purpose. The door answers, and goes on.
@Suite struct DoorHostilityTests {
    @Test func hostileBodiesAreRefused() async throws {
        let backend = ScriptedBackend.saying(["a"])
        try await TestDoor.with(backend) { door in
            var bodies: [[UInt8]] = [
                "{", "[]", "null", "\"x\"", "NaN", #"{"model":NaN}"#,
                #"{"model":"m","messages":[],"temperature":1e999}"#,
                #"{"model":"m","model":"n"}"#, #"{"model":"\ud800"}"#,
                "{\"model\":\"m\",\"max_tokens\":"
                    + String(repeating: "9", count: 10_000) + "}", String(repeating: "[", count: 100_000),
                String(repeating: #"{"a":"#, count: 100_000), "{" + String(repeating: " ", count: 1 << 16),
            ].map { Array($0.utf8) }
            bodies.append([0x22, 0xff, 0xfe, 0x22])
            bodies.append(Array(#"{"model":""#.utf8) + [0xc3, 0x28] + Array(#""}"#.utf8))
            bodies.append([UInt8](repeating: 0, count: 1000))
            for body in bodies {
                let answer = try await door.call("POST", "/v1/completions", body)
                #expect(answer.status == 400, "\(String(decoding: body.prefix(40), as: UTF8.self))")
                #expect(answer.text.hasPrefix(#"{"error":{"message":""#))
                #expect(answer.text.utf8.count < 2000)
            }
            #expect(backend.requests.isEmpty)
            let fine = try await door.chat(DoorServingTests.hello)
            #expect(fine.status == 200)
        }
    }

    @Test func aBodyOverTheLimitIs413() async throws {
        try await TestDoor.with(.saying(["a"]), configure: { $0.bodyLimit = 1 << 20 }) { door in
            let text = String(repeating: "x", count: 10 << 20)
            let body = Array(#"{"model":"m","prompt":"\#(text)"}"#.utf8)
            let answer = try await door.call("POST", "/v1/completions", body)
            #expect(answer.status == 413)
            #expect(answer.text.contains(#""code":"request_too_large""#))

            let connection = try await RawConnection(port: door.port)
            let head = TestDoor.head("POST", "/v1/completions", headers: ["Transfer-Encoding": "chunked"])
            try await connection.send(head.utf8)
            for _ in 0..<32 {
                try await connection.send(Array("10000\r\n".utf8) + [UInt8](repeating: 0x20, count: 65536) + [13, 10])
            }
            try await connection.send("0\r\n\r\n".utf8)
            let chunked = await connection.response()
            #expect(chunked?.status == 413)
            try? await connection.close()
        }
    }

    @Test func anAnswerThatNeedsNoBodyStillReachesAClientThatSendsOne() async throws {
        let keys = try KeyRing(parsing: KeyRing.hash(of: "sk-1") + " acme", path: "f")
        try await TestDoor.with(.saying(["a"]), configure: { $0.keys = keys }) { door in
            let body = [UInt8](repeating: 0x20, count: 6 << 20)
            let unauthenticated = try await door.call("POST", "/v1/completions", body)
            #expect(unauthenticated.status == 401)
            let unknown = try await door.call("PUT", "/v1/completions/x", body)
            #expect(unknown.status == 404)
        }
    }

    @Test func aBodyWithoutEndIsCutOff() async throws {
        try await TestDoor.with(.saying(["a"]), configure: { $0.bodyLimit = 1000 }) { door in
            let connection = try await RawConnection(port: door.port)
            let head = TestDoor.head("POST", "/v1/completions", headers: ["Content-Length": "99999999999"])
            try await connection.send(head.utf8)
            let answer = await connection.response()
            #expect(answer?.status == 413)
            #expect(answer?.headers["connection"] == "close")
            let isOpen = await connection.readMore()
            #expect(!isOpen)
        }
    }

    @Test func aBodyOfTheLimitIsTaken() async throws {
        let backend = ScriptedBackend.saying(["a"])
        let frame = #"{"model":"m","prompt":""}"#
        try await TestDoor.with(backend, configure: { $0.bodyLimit = 100_000 }) { door in
            let text = String(repeating: "x", count: 100_000 - frame.utf8.count)
            let answer = try await door.complete(#"{"model":"m","prompt":"\#(text)"}"#)
            #expect(answer.status == 200)
            #expect(backend.requests.first?.prompt == .text(text))
        }
    }

    @Test func brokenHTTPIsRefusedAndTheDoorGoesOn() async throws {
        try await TestDoor.with(.saying(["a"])) { door in
            for text in [
                "GARBAGE\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
                "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
            ] {
                let connection = try await RawConnection(port: door.port)
                try await connection.send(text.utf8)
                let answer = await connection.response()
                #expect(answer?.status == 400)
                #expect(answer?.text.contains(#""code":"invalid_http""#) == true)
                try? await connection.close()
            }
            let half = try await RawConnection(port: door.port)
            try await half.send(TestDoor.head("POST", "/v1/completions", length: 100).utf8)
            try await half.send("{\"model\"".utf8)
            try await half.close()
            let fine = try await door.chat(DoorServingTests.hello)
            #expect(fine.status == 200)
        }
    }

    @Test func aConnectionThatBringsNoRequestIsClosed() async throws {
        for configure: (inout DoorConfiguration) -> Void in [
            { $0.idleTimeout = .milliseconds(50) }, { $0.headTimeout = .milliseconds(50) },
        ] {
            try await TestDoor.with(
                .saying(["a"]),
                configure: {
                    configure(&$0)
                    $0.sweepInterval = .milliseconds(10)
                }
            ) { door in
                let connection = try await RawConnection(port: door.port)
                // It may be closed before it has sent anything.
                try? await connection.send("POST /v1/compl".utf8)
                while await connection.readMore() {}
                #expect(connection.received.isEmpty)
            }
        }
    }

    /// Each byte that trickles in must not prolong what there is for the whole.
    @Test func aHeadOrABodyThatTricklesIsEnded() async throws {
        try await TestDoor.with(
            .saying(["a"]),
            configure: {
                $0.headTimeout = .milliseconds(200)
                $0.bodyTimeout = .milliseconds(200)
                $0.lingerTimeout = .milliseconds(100)
                $0.sweepInterval = .milliseconds(10)
            }
        ) { door in
            for begin in ["GET /livez HTTP/1.1\r\nX-A: ", TestDoor.head("POST", "/v1/completions", length: 100_000)] {
                let connection = try await RawConnection(port: door.port)
                try await connection.send(begin.utf8)
                // Until the door has had enough of it.
                while (try? await connection.send("a".utf8)) != nil { try? await Task.sleep(for: .milliseconds(5)) }
                while await connection.readMore() {}
                let text = String(decoding: connection.received, as: UTF8.self)
                #expect(begin.hasPrefix("GET") ? text.isEmpty : text.hasPrefix("HTTP/1.1 408 "))
            }
        }
    }

    /// Those who show no key give way to those who may have one.
    @Test func strangersDoNotKeepKeysOut() async throws {
        let keys = try KeyRing(parsing: KeyRing.hash(of: "sk-1") + " acme")
        let backend = ScriptedBackend.saying(["a"])
        try await TestDoor.with(
            backend,
            configure: {
                $0.keys = keys
                $0.maximumConnections = 8
                $0.maximumStrangers = 4
                $0.sweepInterval = .milliseconds(10)
            }
        ) { door in
            let known = try await RawConnection(port: door.port)
            let body = DoorServingTests.hello
            let head = TestDoor.head(
                "POST", "/v1/chat/completions", headers: ["Authorization": "Bearer sk-1"], length: body.utf8.count)
            try await known.send((head + body).utf8)
            #expect(await known.response()?.status == 200)
            var strangers: [RawConnection] = []
            for _ in 0..<20 {
                let stranger = try await RawConnection(port: door.port)
                try await stranger.send("POST /v1/completions HTTP/1.1\r\n".utf8)
                strangers.append(stranger)
            }
            // Behind them all in the listen queue.
            let answer = try await door.chat(body, headers: ["Authorization": "Bearer sk-1"])
            #expect(answer.status == 200)
            try await known.send((head + body).utf8)
            #expect(await known.response()?.status == 200)
            for stranger in strangers { try? await stranger.close() }
            try? await known.close()
        }
    }

    @Test func bodiesAreBoundedAllTogether() async throws {
        try await TestDoor.with(.saying(["a"]), configure: { $0.bodiesLimit = 100_000 }) { door in
            let first = try await RawConnection(port: door.port)
            try await first.send(TestDoor.head("POST", "/v1/completions", length: 90_000).utf8)
            try await first.send([UInt8](repeating: 0x20, count: 80_000))
            let other = try await RawConnection(port: door.port)
            try await other.send(TestDoor.head("POST", "/v1/completions", length: 90_000).utf8)
            try await other.send([UInt8](repeating: 0x20, count: 80_000))
            // Whichever came later.
            let connection = await other.response()
            #expect(connection?.status == 429)
            try? await first.close()
            try? await other.close()
            let fine = try await door.chat(DoorServingTests.hello)
            #expect(fine.status == 200)
        }
    }

    /// A client that trickles its body, or does not read, keeps no door from its end.
    @Test(.timeLimit(.minutes(5))) func theDoorStopsWhateverClientsDo() async throws {
        var open: [RawConnection] = []
        try await TestDoor.with(
            ScriptedBackend { _, _ in },
            configure: {
                $0.stopTimeout = .milliseconds(100)
                $0.sweepInterval = .milliseconds(10)
            }
        ) { door in
            let trickling = try await RawConnection(port: door.port)
            try await trickling.send((TestDoor.head("POST", "/v1/completions", length: 100_000) + "{").utf8)
            let waiting = try await RawConnection(port: door.port)
            let body = DoorServingTests.streamed
            try await waiting.send((TestDoor.head("POST", "/v1/chat/completions", length: body.utf8.count) + body).utf8)
            try await Task.sleep(for: .milliseconds(20))
            open = [trickling, waiting]
        }
        for connection in open { try? await connection.close() }
    }

    @Test func aGoodRequestBeforeRubbishIsAnswered() async throws {
        let (mayGoOn, goOn) = AsyncStream<Void>.makeStream()
        let backend = ScriptedBackend { _, stream in
            for await _ in mayGoOn { break }
            stream.finish(
                .finished(DoorFinish(reason: .stop, usage: DoorUsage(promptTokens: 1, completionTokens: 1))))
        }
        try await TestDoor.with(backend) { door in
            let connection = try await RawConnection(port: door.port)
            let body = DoorServingTests.hello
            let head = TestDoor.head("POST", "/v1/chat/completions", length: body.utf8.count)
            try await connection.send((head + body + "RUBBISH\u{1}\r\n\r\n").utf8)
            goOn.yield()
            let answer = await connection.response()
            #expect(answer?.status == 200)
            let rubbish = await connection.response()
            #expect(rubbish?.status == 400 && rubbish?.text.contains("invalid_http") == true)
            try? await connection.close()
        }
    }

    @Test(arguments: ["", "Host: a\r\nHost: b\r\n"]) func oneHostIsAskedFor(_ hosts: String) async throws {
        try await TestDoor.with(.saying(["a"])) { door in
            let connection = try await RawConnection(port: door.port)
            try await connection.send("GET /livez HTTP/1.1\r\n\(hosts)\r\n".utf8)
            #expect(await connection.response()?.status == 400)
            try? await connection.close()
        }
    }

    @Test func noMoreConnectionsThanAllowedAreServed() async throws {
        try await TestDoor.with(.saying(["a"]), configure: { $0.maximumConnections = 2 }) { door in
            let first = try await RawConnection(port: door.port)
            let second = try await RawConnection(port: door.port)
            for connection in [first, second] {
                try await connection.send(TestDoor.head("GET", "/livez").utf8)
                let answer = await connection.response()
                #expect(answer?.status == 200)
            }
            let third = try await RawConnection(port: door.port)
            try await third.send(TestDoor.head("GET", "/livez").utf8)
            try await first.close()
            let answer = await third.response()
            #expect(answer?.status == 200)
            try await second.close()
            try await third.close()
        }
    }

    @Test func aClientThatAsksFirstIsToldToGoOn() async throws {
        try await TestDoor.with(.saying(["a"])) { door in
            let connection = try await RawConnection(port: door.port)
            let body = DoorServingTests.hello
            let head = TestDoor.head(
                "POST", "/v1/chat/completions", headers: ["Expect": "100-continue"], length: body.utf8.count)
            try await connection.send(head.utf8)
            let first = await connection.response()
            #expect(first?.status == 100)
            try await connection.send(body.utf8)
            let answer = await connection.response()
            #expect(answer?.status == 200)
            try await connection.close()
        }
    }
}
