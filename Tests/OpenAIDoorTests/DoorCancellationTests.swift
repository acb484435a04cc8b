import Telemetry
import Testing

@testable import OpenAIDoor

/// A client that leaves ends its request at once, whatever the door is waiting for. The backend's events are awaited:
/// without the cancel, these tests do not end.
@Suite(.timeLimit(.minutes(5))) struct DoorCancellationTests {
    static func request(_ body: String) -> String {
        TestDoor.head("POST", "/v1/chat/completions", length: body.utf8.count) + body
    }

    static func send(_ body: String, to door: TestDoor) async throws -> RawConnection {
        let connection = try await RawConnection(port: door.port)
        try await connection.send(request(body).utf8)
        return connection
    }

    @Test(arguments: [DoorServingTests.hello, DoorServingTests.streamed])
    func leavingBeforeAnyTextCancels(_ body: String) async throws {
        let backend = ScriptedBackend { _, _ in }
        try await TestDoor.with(backend) { door in
            var events = backend.events.makeAsyncIterator()
            let connection = try await Self.send(body, to: door)
            let first = await events.next()
            #expect(first == .submitted(1))
            try await connection.close()
            let second = await events.next()
            #expect(second == .cancelled(1, deliveredTokens: 0))
        }
    }

    @Test func leavingBetweenTwoTextsCancels() async throws {
        let backend = ScriptedBackend { _, stream in stream.push(ArraySlice("some".utf8), tokenCount: 3) }
        try await TestDoor.with(backend) { door in
            var events = backend.events.makeAsyncIterator()
            let connection = try await Self.send(DoorServingTests.streamed, to: door)
            _ = await events.next()
            let isThere = await connection.read(until: "some")
            #expect(isThere)
            try await connection.close()
            let second = await events.next()
            #expect(second == .cancelled(1, deliveredTokens: 3))
        }
    }

    @Test func closingOnlyTheClientsSideCancelsToo() async throws {
        let backend = ScriptedBackend { _, stream in stream.push(ArraySlice("some".utf8), tokenCount: 1) }
        try await TestDoor.with(backend) { door in
            var events = backend.events.makeAsyncIterator()
            let connection = try await Self.send(DoorServingTests.streamed, to: door)
            _ = await events.next()
            _ = await connection.read(until: "some")
            try await connection.closeOutput()
            let second = await events.next()
            #expect(second == .cancelled(1, deliveredTokens: 1))
            try? await connection.close()
        }
    }

    @Test func leavingWhileNobodyReadsCancels() async throws {
        let backend = ScriptedBackend { _, stream in
            let piece = ArraySlice([UInt8](repeating: 0x61, count: 65536))
            while stream.push(piece, tokenCount: 1) {
                if stream.waitingBytes > 8 << 20 { try? await Task.sleep(for: .milliseconds(1)) }
                await Task.yield()
            }
        }
        try await TestDoor.with(backend) { door in
            var events = backend.events.makeAsyncIterator()
            let connection = try await Self.send(DoorServingTests.streamed, to: door)
            _ = await events.next()
            _ = await connection.readMore()
            try await connection.close()
            let second = await events.next()
            guard case .cancelled(1, let delivered) = second else {
                Issue.record("\(String(describing: second))")
                return
            }
            #expect(delivered > 0)
        }
    }

    /// What the socket has not taken is not delivered, and its end waits.
    @Test func theEndOfAnUnreadAnswerIsAwaited() async throws {
        let pieces = 200
        let backend = ScriptedBackend { _, stream in
            let piece = ArraySlice([UInt8](repeating: 0x61, count: 65536))
            for _ in 1..<pieces { stream.push(piece, tokenCount: 1) }
            #expect(stream.isBehind)
            stream.pushAwaited(piece, tokenCount: 1)
        }
        try await TestDoor.with(backend, configure: { $0.sendBuffer = 8192 }) { door in
            var events = backend.events.makeAsyncIterator()
            let connection = try await RawConnection(port: door.port, reads: false)
            try await connection.send(Self.request(DoorServingTests.streamed).utf8)
            let first = await events.next()
            #expect(first == .submitted(1))
            let seen = await connection.read(bytes: 1 << 20)
            #expect(seen)
            try await connection.close()
            let second = await events.next()
            guard case .cancelled(1, let delivered) = second else {
                Issue.record("\(String(describing: second))")
                return
            }
            #expect((1..<pieces).contains(delivered))
        }
    }

    @Test func whoReadsAllIsToldToHaveAccepted() async throws {
        let backend = ScriptedBackend { _, stream in
            let piece = ArraySlice([UInt8](repeating: 0x61, count: 65536))
            for _ in 1..<50 { stream.push(piece, tokenCount: 1) }
            stream.pushAwaited(piece, tokenCount: 1)
        }
        try await TestDoor.with(backend, configure: { $0.sendBuffer = 8192 }) { door in
            var events = backend.events.makeAsyncIterator()
            let connection = try await Self.send(DoorServingTests.streamed, to: door)
            _ = await events.next()
            let isRead = await connection.read(bytes: 50 << 16)
            #expect(isRead)
            let second = await events.next()
            #expect(second == .accepted(1, deliveredTokens: 50))
            try await connection.close()
        }
    }

    @Test func aStreamThatIsGivenUpEndsItsConnection() async throws {
        let backend = ScriptedBackend { _, stream in
            stream.push(ArraySlice("some".utf8), tokenCount: 1)
            stream.abandon()
        }
        try await TestDoor.with(backend) { door in
            let connection = try await Self.send(DoorServingTests.streamed, to: door)
            while await connection.readMore() {}
            let text = String(decoding: connection.received, as: UTF8.self)
            #expect(!text.contains("[DONE]"))
        }
    }

    @Test func aFinishedRequestIsNotCancelled() async throws {
        let backend = ScriptedBackend.saying(["a", "b"])
        try await TestDoor.with(backend) { door in
            var events = backend.events.makeAsyncIterator()
            for (number, body) in [(1, DoorServingTests.hello), (2, DoorServingTests.streamed)] as [(UInt64, String)] {
                _ = try await door.chat(body)
                let first = await events.next()
                #expect(first == .submitted(number))
            }
            let metrics = door.metrics.render()
            #expect(metrics.contains("tokenfactory_http_delivered_tokens_total 4"))
            #expect(metrics.contains("tokenfactory_http_clients_left_total 0"))
        }
    }

    @Test func shuttingDownLetsOpenRequestsEnd() async throws {
        let (mayGoOn, goOn) = AsyncStream<Void>.makeStream()
        let backend = ScriptedBackend { _, stream in
            for await _ in mayGoOn { break }
            let usage = DoorUsage(promptTokens: 1, completionTokens: 1)
            stream.finish(
                .finished(DoorFinish(reason: .stop, usage: usage)), text: ArraySlice("end".utf8), tokenCount: 1)
        }
        let (answers, found) = AsyncStream<Int>.makeStream()
        try await TestDoor.with(backend) { door in
            var events = backend.events.makeAsyncIterator()
            let connection = try await Self.send(DoorServingTests.hello, to: door)
            _ = await events.next()
            Task {
                found.yield(await connection.response()?.status ?? 0)
            }
            // The door is asked to stop when this closure returns; the request is still open then.
            Task { goOn.yield() }
        }
        var iterator = answers.makeAsyncIterator()
        let status = await iterator.next()
        #expect(status == 200)
    }
}
