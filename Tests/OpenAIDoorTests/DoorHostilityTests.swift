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
                "POST /v1/completions HTTP/1.1\r\nContent-Length: x\r\n\r\n",
            ] {
                let connection = try await RawConnection(port: door.port)
                try await connection.send(text.utf8)
                let answer = await connection.response()
                #expect(answer == nil || answer?.status == 400)
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
        try await TestDoor.with(.saying(["a"]), configure: { $0.idleTimeout = .milliseconds(50) }) { door in
            for text in ["", "POST /v1/compl", TestDoor.head("POST", "/v1/completions", length: 100) + "{"] {
                let connection = try await RawConnection(port: door.port)
                // It may be closed before it has sent anything.
                try? await connection.send(text.utf8)
                while await connection.readMore() {}
                #expect(connection.received.isEmpty)
            }
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
