import Glibc
import Testing

@testable import Transport

/// Notes what it hears of, and does what a test wants done then.
private final class Listener: Watched {
    private(set) var heard: [Int] = []
    var then: (Int) -> Void = { _ in }

    func announced(_ what: Poller.Interest, at tag: Int) {
        heard.append(tag)
        then(tag)
    }
}

/// One epoll set for many sockets: what is announced reaches those that it was meant for.
@Suite(.timeLimit(.minutes(5))) struct PollerTests {
    private let listener = Listener()

    @Test func `what was announced for a descriptor that is gone reaches nobody, though its number is used again`()
        throws
    {
        let poller = try Poller()
        let ends = try (0..<3).map { _ in try socketPair() }
        defer { for end in ends.joined() { close(end) } }
        var places = try (0..<2).map { try poller.add(listener, at: $0, ends[$0][0], .reading) }
        for pair in ends.prefix(2) { try send(1, to: pair[1]) }
        var replacing: Int?
        listener.then = { tag in
            guard replacing == nil else { return }
            // The other descriptor is closed, and its number is at once another connection's, which has nothing yet.
            let other = 1 - tag
            replacing = other
            poller.remove(places[other])
            dup2(ends[2][0], ends[other][0])
            do {
                places[other] = try poller.add(self.listener, at: 7, ends[other][0], .reading)
            } catch {
                Issue.record(error)
            }
        }
        #expect(poller.wait(milliseconds: patience))
        poller.announce()
        let other = try #require(replacing)
        #expect(listener.heard == [1 - other])
        try send(1, to: ends[2][1])
        #expect(poller.wait(milliseconds: patience))
        poller.announce()
        #expect(listener.heard.contains(7) && !listener.heard.contains(other))
        poller.remove(places[0])
        poller.remove(places[1])
        // Once more does nothing, whoever has the slot by then.
        poller.remove(places[0])
        #expect(poller.count == 0)
    }

    @Test func `more than fits into one wait comes with the next, round and round`() throws {
        let poller = try Poller()
        let ends = try (0..<300).map { _ in try socketPair() }
        defer { for end in ends.joined() { close(end) } }
        for (index, pair) in ends.enumerated() {
            _ = try poller.add(listener, at: index, pair[0], .reading)
            try send(1, to: pair[1])
        }
        for _ in 0..<2 {
            #expect(poller.wait(milliseconds: patience))
            poller.announce()
        }
        // Nobody has taken anything, and yet nobody was left out.
        #expect(Set(listener.heard).count == 300)
    }

    @Test func `what is watched once is announced once for each time that it is raised`() throws {
        let poller = try Poller()
        let signal = try WakeSignal()
        _ = try poller.add(listener, at: 0, signal.descriptor, [.reading, .once])
        for round in 1...3 {
            signal.raise()
            #expect(poller.wait(milliseconds: patience))
            poller.announce()
            #expect(listener.heard.count == round)
            #expect(!poller.wait(milliseconds: 0))
        }
    }

    @Test func `a socket that is closed leaves neither descriptors nor times behind`() throws {
        let context = try Context()
        let reactor = try Reactor(name: "other")
        defer { reactor.stop() }
        let loop = try ReactorLoop()
        var options = SocketOptions()
        options.reconnectInterval = 1
        // One that dials nobody, one that has a stranger within its handshake, one of libzmq's.
        let dealer = StreamSocket(.dealer(.fresh()), options: options)
        try dealer.connect(temporaryIPC())
        let router = StreamSocket(.router, options: options)
        let stranger = try Stranger(router.bind(SocketTests.tcp))
        stranger.greet()
        let library = try LibrarySocket(context, type: 6, options: options)
        _ = try library.bind(.inproc(name: "closed"))
        let sockets: [any LinkSocket] = [dealer, router, library]
        for socket in sockets {
            loop.add(Registration(socket, reactor, loop, onReadable: {}, onMonitor: nil))
        }
        let end = MonotonicClock.now() + UInt64(patience) * 1_000_000
        while router.census.connections == 0, MonotonicClock.now() < end {
            loop.poll(milliseconds: 50)
            loop.dispatch()
            loop.tick(now: MonotonicClock.now)
        }
        #expect(loop.poller.count == 3)
        #expect(loop.patience(now: MonotonicClock.now) >= 0)
        #expect(dealer.dueAt < .max && router.dueAt < .max)
        for socket in sockets { socket.close() }
        #expect(loop.poller.count == 0)
        // What was armed before may cost one look at the time, and then nothing is due any more.
        loop.tick { .max - 1 }
        #expect(loop.patience(now: MonotonicClock.now) == -1)
    }
}

/// Two connected sockets that wait for nothing.
func socketPair() throws -> [Int32] {
    var ends: [Int32] = [-1, -1]
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    try #require(unsafe socketpair(AF_UNIX, kind, 0, &ends) == 0)
    return ends
}

private func send(_ byte: UInt8, to descriptor: Int32) throws {
    var byte = byte
    try #require(unsafe write(descriptor, &byte, 1) == 1)
}
