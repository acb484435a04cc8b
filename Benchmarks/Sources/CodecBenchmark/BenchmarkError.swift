/// Why there are no figures.
enum BenchmarkError: Error, CustomStringConvertible {
    /// What a codec decoded is not what it encoded.
    case unfaithful(String)
    /// The allocation counter does not see what it should.
    case counterIsBlind(none: UInt64, thousand: UInt64)

    var description: String {
        switch self {
        case .unfaithful(let what): "\(what): decoded is not what was encoded"
        case .counterIsBlind(let none, let thousand):
            "the allocation counter saw \(none) for none and \(thousand) for 1000"
        }
    }
}
