/// Delays one link by a known time, and says where the hop vector shows it: stamps of one clock always add up, so that
/// alone would prove nothing.
public struct DelayRun {
    private let programs: String
    private let link: LineLink
    private let microseconds: Int
    private let requests: Int
    private let rounds: Int
    private let onProgress: (String) -> Void

    /// - Parameters:
    ///   - microseconds: The delay in each direction.
    ///   - requests: Requests of a round.
    public init(
        programs: String, link: LineLink, microseconds: Int, requests: Int = 200, rounds: Int = 4,
        onProgress: @escaping (String) -> Void = { _ in }
    ) {
        self.programs = programs
        self.link = link
        self.microseconds = microseconds
        self.requests = requests
        self.rounds = rounds
        self.onProgress = onProgress
    }

    public func perform() async throws(BenchError) -> DelayReport {
        onProgress("starting a cluster with a proxy on \(link.rawValue)")
        let cluster = try BenchCluster(ClusterShape(programs: programs, proxied: link))
        defer { cluster.stop() }
        let probe = try await LineRun.connect(cluster.door)
        var without = HopBreakdown()
        var with = HopBreakdown()
        do throws(BenchError) {
            for number in 0..<rounds {
                onProgress("round \(number + 1) of \(rounds)")
                for isDelayed in number.isMultiple(of: 2) ? [false, true] : [true, false] {
                    try cluster.delay(microseconds: isDelayed ? microseconds : 0)
                    for sample in try await probe.run(LineRound(.hot, count: requests, stamping: .all)) {
                        if isDelayed { with.add(sample) } else { without.add(sample) }
                    }
                }
            }
        } catch {
            await probe.stop()
            throw error
        }
        await probe.stop()
        guard !with.requests.isEmpty, !without.requests.isEmpty else {
            throw .cluster("no request came back with a whole hop vector")
        }
        return DelayReport(
            machine: Machine.current(), link: link, microseconds: microseconds,
            requests: with.requests.count + without.requests.count,
            stretches: with.order.map { stretch in
                Self.judge(
                    stretch, on: link, delay: Double(microseconds) * 1000, without: without.summary(of: stretch).p50,
                    with: with.summary(of: stretch).p50)
            })
    }

    /// The delayed link's wire must grow by the delay, to within a quarter of it; everything else must not grow by a
    /// quarter of it (cores that wait longer sleep deeper, so some growth is the machine's).
    static func judge(
        _ stretch: HopStretch, on link: LineLink, delay: Double, without: Double, with: Double
    ) -> DelayedStretch {
        let isDelayed = stretch.link == link
        let growth = with - without
        let isAsExpected = isDelayed ? abs(growth - delay) <= delay / 4 : growth < delay / 4
        return DelayedStretch(
            stretch: stretch, withoutNanoseconds: without, withNanoseconds: with, isDelayed: isDelayed,
            isAsExpected: isAsExpected)
    }
}
