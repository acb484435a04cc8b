/// Why a benchmark could not be run, or does not count.
public enum BenchError: Error, Equatable, CustomStringConvertible {
    /// A floor in C failed.
    case floor(String)
    /// A process could not be started, or ended when it should not.
    case process(String)
    /// The cluster or its door.
    case cluster(String)
    /// One side of a hop.
    case hop(String)
    /// What was asked for cannot be done.
    case usage(String)

    public var description: String {
        switch self {
        case .floor(let reason): "floor: \(reason)"
        case .process(let reason): "process: \(reason)"
        case .cluster(let reason): "cluster: \(reason)"
        case .hop(let reason): "hop: \(reason)"
        case .usage(let reason): reason
        }
    }
}
