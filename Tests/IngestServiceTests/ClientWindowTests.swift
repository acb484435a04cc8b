import Testing

@testable import IngestService

@Suite struct ClientWindowTests {
    @Test func whatWentOutTakesRoomUntilItIsRead() {
        var window = ClientWindow()
        #expect(window.room == ClientWindow.bytes)
        for number: UInt64 in 1...4 { window.sent(sequence: 10 + number, tray: number, bytes: 1000) }
        #expect(window.room == ClientWindow.bytes - 4000)
        var isSent = window.read(traysThrough: 2)
        #expect(isSent && window.unread == 2000)
        window.read(framesThrough: 13)
        #expect(window.unread == 1000)
        // What was read already is not read again.
        isSent = window.read(traysThrough: 3)
        #expect(isSent)
        window.read(framesThrough: 11)
        #expect(window.unread == 1000)
        window.read(framesThrough: .max)
        #expect(window.unread == 0 && window.room == ClientWindow.bytes)
    }

    @Test func aTrayThatWasNeverSentIsNotRead() {
        var window = ClientWindow()
        var isSent = window.read(traysThrough: 1)
        #expect(!isSent)
        window.sent(sequence: 2, tray: 1, bytes: 500)
        isSent = window.read(traysThrough: 2)
        #expect(!isSent && window.unread == 500)
    }

    @Test func roomIsNeverNegative() {
        var window = ClientWindow()
        window.sent(sequence: 1, tray: 1, bytes: ClientWindow.bytes + 1)
        #expect(window.room == 0)
    }
}
