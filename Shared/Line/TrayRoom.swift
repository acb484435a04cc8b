public import Wire

extension TextBatch {
    /// Whether one row more keeps the frame within what a peer accepts.
    public func hasRoom(tokens more: Int, bytes: Int) -> Bool {
        TrayRoom.isEnough(rows: rows.count, bytes: text.count + 4 * tokens.count, adding: bytes + 4 * more)
    }
}

extension TokenBatch {
    /// Whether one row more keeps the frame within what a peer accepts.
    public func hasRoom(tokens more: Int) -> Bool {
        TrayRoom.isEnough(rows: rows.count, bytes: 4 * tokens.count, adding: 4 * more)
    }
}

private enum TrayRoom {
    /// Hop records come with last rows, a few for each: they must fit besides.
    private static let rows = WireLimits.rows / 8
    private static let bytes = WireLimits.frameBytes / 2

    static func isEnough(rows count: Int, bytes held: Int, adding more: Int) -> Bool {
        count == 0 || (count < rows && held + more <= bytes)
    }
}
