public import Wire

/// The difference between a peer's clock and our own, from the four timestamps of heartbeats.
///
/// A heartbeat leaves at t₁ (own clock), arrives at t₂ and is answered at t₃ (peer's clock), and the answer arrives at
/// t₄ (own clock). The offset is ((t₂ − t₁) + (t₃ − t₄)) / 2 and can be wrong by at most half the time that both spent
/// on the way, (t₄ − t₁) − (t₃ − t₂) (D. Mills, RFC 5905 §8). The sample of a window that spent least on the way holds.
public struct ClockOffset: Equatable, Sendable {
    private struct Sample: Equatable, Sendable {
        var offset: Int64
        var onTheWay: UInt64
    }

    /// Samples that a window holds.
    public static let window = 16

    private var samples: [Sample] = []
    private var oldest = 0
    private var best = Sample(offset: 0, onTheWay: .max)

    public init() {}

    /// Peer's clock minus own clock in nanoseconds; nil before the first sample.
    public var offset: Int64? { samples.isEmpty ? nil : best.offset }

    /// Half-width in nanoseconds of the interval around `offset` in which the truth lies; nil before the first sample.
    public var uncertainty: UInt64? { samples.isEmpty ? nil : best.onTheWay / 2 + best.onTheWay % 2 }

    /// Adds one exchange. Stamps that contradict one another (a clock that ran backwards) are left out.
    /// - Returns: whether the sample counts.
    @discardableResult
    public mutating func add(
        sent: UInt64, receivedByPeer: UInt64, answeredByPeer: UInt64, received: UInt64
    ) -> Bool {
        guard received >= sent, answeredByPeer >= receivedByPeer else { return false }
        let roundTrip = received - sent
        let atPeer = answeredByPeer - receivedByPeer
        guard roundTrip >= atPeer else { return false }
        // Wrapping differences are right for any two clocks less than 2⁶³ ns (292 years) apart.
        let out = Int64(bitPattern: receivedByPeer &- sent)
        let back = Int64(bitPattern: answeredByPeer &- received)
        let sample = Sample(offset: out / 2 + back / 2 + (out % 2 + back % 2) / 2, onTheWay: roundTrip - atPeer)
        if samples.count < Self.window {
            samples.append(sample)
        } else {
            samples[oldest] = sample
            oldest = (oldest + 1) % Self.window
        }
        best = samples[0]
        for candidate in samples where candidate.onTheWay < best.onTheWay { best = candidate }
        return true
    }

    /// A time on the peer's clock, told on our own; the same number before the first sample.
    public func own(_ peerTime: UInt64) -> UInt64 { peerTime &- UInt64(bitPattern: best.offset) }
}

extension HopRecord {
    /// The same stamps on our own clock, with the estimate's uncertainty added to theirs.
    /// - Parameter clock: That of the peer which sent the record.
    public func told(by clock: ClockOffset) -> HopRecord {
        var own = self
        own.receivedAt = clock.own(receivedAt)
        own.begunAt = clock.own(begunAt)
        own.sentAt = clock.own(sentAt)
        own.uncertainty = UInt16(clamping: UInt64(uncertainty) + (clock.uncertainty ?? 0) / 1000)
        return own
    }
}
