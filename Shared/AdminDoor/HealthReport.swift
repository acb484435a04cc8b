/// What a probe found.
public enum HealthReport: Equatable, Sendable {
    /// The data path works.
    case ok
    /// It does not; why, for the operator.
    case failing(String)
}
