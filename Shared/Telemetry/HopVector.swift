public import Wire

/// One stretch of a request's way.
public struct HopSegment: Equatable, Sendable {
    /// What the time was spent on.
    public enum Part: String, Sendable, CaseIterable {
        /// Between one station's send and the next one's receive.
        case wire
        /// Received, not yet begun.
        case queued
        /// Begun, not yet sent.
        case worked
        /// In the engine: from the step that begins the prompt to the step that makes the token.
        case engine
    }

    /// The station that the time was spent in or, for `wire`, that received.
    public var station: StationRole
    public var phase: HopPhase
    public var part: Part
    /// Signed, because clocks of two hosts are only known up to the estimate's uncertainty.
    public var nanoseconds: Int64

    public init(station: StationRole, phase: HopPhase, part: Part, nanoseconds: Int64) {
        self.station = station
        self.phase = phase
        self.part = part
        self.nanoseconds = nanoseconds
    }
}

/// Where the time of one request went: the stamps that came with its last row, between the client's own.
///
/// All stamps are on the client's clock; whoever receives a frame from another host subtracts the offset that its
/// heartbeats estimate. See `docs/wire-format.md`, hop records.
public struct HopVector: Equatable, Sendable {
    /// Stretches in the order in which the request went through them, up to the last token.
    public let untilLastToken: [HopSegment]
    /// Stretches up to the first token; those of the way down stand in both.
    public let untilFirstToken: [HopSegment]
    /// Client's latency to the last token minus the sum of `untilLastToken`.
    public let residual: Int64

    /// - Parameters:
    ///   - records: All records of one request, any order.
    ///   - sentAt: When the client sent the request, on its clock, nanoseconds.
    ///   - firstAt: When its first row arrived.
    ///   - lastAt: When its last row arrived.
    /// - Returns: nil when a station's record is missing, so that nobody sums up half a way.
    public init?(records: [HopRecord], sentAt: UInt64, firstAt: UInt64, lastAt: UInt64) {
        func find(_ station: StationRole, _ phase: HopPhase) -> HopRecord? {
            records.first { $0.station == station && $0.phase == phase }
        }
        let path: [StationRole] = [.ingest, .tokenizer, .inferenceWorker]
        var down: [HopSegment] = []
        var cursor = sentAt
        for station in path {
            guard let record = find(station, .down) else { return nil }
            Self.append(record, from: &cursor, to: &down)
        }
        let engineBegan = cursor
        func up(_ phase: HopPhase, until end: UInt64) -> [HopSegment]? {
            var segments: [HopSegment] = []
            var cursor = engineBegan
            for station in path.reversed() {
                guard let record = find(station, phase) else { return nil }
                if station == .inferenceWorker {
                    segments.append(
                        HopSegment(
                            station: station, phase: phase, part: .engine,
                            nanoseconds: Int64(bitPattern: record.receivedAt &- cursor)))
                    cursor = record.receivedAt
                    Self.appendWork(record, from: &cursor, to: &segments)
                } else {
                    Self.append(record, from: &cursor, to: &segments)
                }
            }
            segments.append(
                HopSegment(station: .client, phase: phase, part: .wire, nanoseconds: Int64(bitPattern: end &- cursor)))
            return segments
        }
        guard let first = up(.firstToken, until: firstAt), let last = up(.lastToken, until: lastAt) else { return nil }
        untilFirstToken = down + first
        untilLastToken = down + last
        let sum = untilLastToken.reduce(0) { $0 &+ $1.nanoseconds }
        residual = Int64(bitPattern: lastAt &- sentAt) &- sum
    }

    private static func append(_ record: HopRecord, from cursor: inout UInt64, to segments: inout [HopSegment]) {
        segments.append(
            HopSegment(
                station: record.station, phase: record.phase, part: .wire,
                nanoseconds: Int64(bitPattern: record.receivedAt &- cursor)))
        cursor = record.receivedAt
        appendWork(record, from: &cursor, to: &segments)
    }

    private static func appendWork(_ record: HopRecord, from cursor: inout UInt64, to segments: inout [HopSegment]) {
        segments.append(
            HopSegment(
                station: record.station, phase: record.phase, part: .queued,
                nanoseconds: Int64(bitPattern: record.begunAt &- cursor)))
        segments.append(
            HopSegment(
                station: record.station, phase: record.phase, part: .worked,
                nanoseconds: Int64(bitPattern: record.sentAt &- record.begunAt)))
        cursor = record.sentAt
    }
}

/// The stamps that a station keeps for one request until its last row goes out.
public struct HopStamps: Equatable, Sendable {
    public var downReceived: UInt64 = 0
    public var downBegun: UInt64 = 0
    public var downSent: UInt64 = 0
    public var firstReceived: UInt64 = 0
    public var firstBegun: UInt64 = 0
    public var firstSent: UInt64 = 0

    public init() {}

    /// This station's three records for the frame that carries the last row.
    public func records(
        handle: UInt32, station: StationRole, lastReceived: UInt64, lastBegun: UInt64, lastSent: UInt64,
        uncertainty: UInt16 = 0
    ) -> [HopRecord] {
        [
            HopRecord(
                handle: handle, station: station, phase: .down, uncertainty: uncertainty, receivedAt: downReceived,
                begunAt: downBegun, sentAt: downSent),
            HopRecord(
                handle: handle, station: station, phase: .firstToken, uncertainty: uncertainty,
                receivedAt: firstReceived == 0 ? lastReceived : firstReceived,
                begunAt: firstReceived == 0 ? lastBegun : firstBegun,
                sentAt: firstReceived == 0 ? lastSent : firstSent),
            HopRecord(
                handle: handle, station: station, phase: .lastToken, uncertainty: uncertainty,
                receivedAt: lastReceived, begunAt: lastBegun, sentAt: lastSent),
        ]
    }
}
