/// Connections that may have frames, first come first served.
struct ConnectionQueue {
    private var items: [StreamConnection] = []
    private var head = 0

    var isEmpty: Bool { head == items.count }

    var first: StreamConnection? { isEmpty ? nil : items[head] }

    mutating func append(_ connection: StreamConnection) { items.append(connection) }

    mutating func removeFirst() {
        head += 1
        if head == items.count {
            items.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 1024, head > items.count / 2 {
            items.removeSubrange(..<head)
            head = 0
        }
    }
}
