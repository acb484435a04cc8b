import CFloor

/// The cores that each side of a hop may run on, so that where the scheduler puts threads does not move a ratio.
public struct CoreSplit: Codable, Equatable, Sendable {
    /// Of the side that sends requests and measures.
    public var callers: [Int32]
    /// Of the processes that answer.
    public var peers: [Int32]

    /// - Parameters: lists as the kernel writes them, such as `0` or `0,2-3`.
    /// - Throws: `.usage` for what is no list, or a core that this process may not use.
    public init(callers: String, peers: String) throws(BenchError) {
        let allowed = try Self.allowed()
        self.callers = try Self.cores(callers)
        self.peers = try Self.cores(peers)
        for core in self.callers + self.peers where !allowed.contains(core) {
            throw .usage("no core \(core); there are \(allowed.map(String.init).joined(separator: ", "))")
        }
    }

    static func cores(_ list: String) throws(BenchError) -> [Int32] {
        var cores: Set<Int32> = []
        for part in list.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int32($0) }
            guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1], first >= 0,
                first <= last
            else { throw .usage("no list of cores: \(list)") }
            cores.formUnion(first...last)
        }
        return cores.sorted()
    }

    /// The cores that the calling thread may run on.
    static func allowed() throws(BenchError) -> [Int32] {
        var cores = [Int32](repeating: 0, count: 1024)
        let count = unsafe cf_cores(&cores, Int32(cores.count))
        guard count > 0 else { throw .floorFailed() }
        return Array(cores.prefix(Int(count)))
    }

    /// Lets a process, with all its threads and those to come, run on these cores only.
    static func pin(_ pid: Int32, to cores: [Int32]) throws(BenchError) {
        guard unsafe cf_pin(pid, cores, cores.count) == 0 else { throw .floorFailed() }
    }

    /// For people.
    public var text: String {
        func list(_ cores: [Int32]) -> String { cores.map(String.init).joined(separator: ",") }
        return "callers on cores \(list(callers)), peers on \(list(peers))"
    }
}
