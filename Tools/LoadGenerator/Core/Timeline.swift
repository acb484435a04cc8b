/// How a run went, in equal stretches of its time.
struct Timeline: Equatable, Sendable {
    struct Bin: Equatable, Sendable {
        /// Seconds from the run's begin to the stretch's middle.
        var time: Double
        /// Answer tokens a second: those of each complete answer, spread evenly from its first to its last.
        var tokens = 0.0
        /// Complete answers a second.
        var completed = 0.0
        /// Requests under way, on average.
        var underWay = 0.0
    }

    private(set) var bins: [Bin]

    /// - Parameter count: stretches.
    init(_ records: [RequestLog.Record], from start: UInt64, to end: UInt64, count: Int = 100) {
        guard end > start, count > 0 else {
            bins = []
            return
        }
        let width = Double(end - start) / Double(count) / 1e9
        bins = (0..<count).map { Bin(time: (Double($0) + 0.5) * width) }
        func seconds(_ time: UInt64) -> Double { Double(time &- start) / 1e9 }
        for record in records where record.sentAt >= start {
            spread(1, from: seconds(record.sentAt), to: seconds(record.endedAt), width, \.underWay, asShare: false)
            guard record.fate == .complete else { continue }
            spread(1, from: seconds(record.endedAt), to: seconds(record.endedAt), width, \.completed, asShare: true)
            guard record.firstAt >= start else { continue }
            spread(
                Double(record.tokens), from: seconds(record.firstAt), to: seconds(record.lastAt), width, \.tokens,
                asShare: true)
        }
    }

    /// The most requests under way at once.
    static func mostUnderWay(_ records: [RequestLog.Record]) -> Int {
        let begins = records.map(\.sentAt).sorted()
        let ends = records.map(\.endedAt).sorted()
        var ended = 0
        var most = 0
        for (begun, begin) in begins.enumerated() {
            while ended < ends.count, ends[ended] <= begin { ended += 1 }
            most = max(most, begun + 1 - ended)
        }
        return most
    }

    /// Adds `amount` a second over a stretch of time or, as a share, `amount` in all.
    private mutating func spread(
        _ amount: Double, from begin: Double, to end: Double, _ width: Double, _ field: WritableKeyPath<Bin, Double>,
        asShare: Bool
    ) {
        let first = min(bins.count - 1, max(0, Int(begin / width)))
        let last = min(bins.count - 1, max(first, Int(end / width)))
        for index in first...last {
            guard end > begin else {
                bins[index][keyPath: field] += asShare ? amount / width : 0
                continue
            }
            let low = max(begin, Double(index) * width)
            let high = index == last ? end : Double(index + 1) * width
            let part = max(0, high - low) / width
            bins[index][keyPath: field] += asShare ? amount * part / (end - begin) : amount * part
        }
    }
}
