/// One of the answers that a request asked for, from its submission until its end is written.
final class Choice {
    let index: Int
    let id: DoorRequestID
    let stream: DoorStream
    /// Whether text or an end has come.
    var hasBegun = false
    /// The backend waits to hear that the others have come as far.
    var isAwaited = false
    var finish: DoorFinish?
    /// The door is done with the stream.
    var isReleased = false
    /// Tokens that have come.
    var tokens = 0
    /// Of an answer in one piece.
    var text: [UInt8] = []

    init(index: Int, id: DoorRequestID, stream: DoorStream) {
        self.index = index
        self.id = id
        self.stream = stream
    }
}
