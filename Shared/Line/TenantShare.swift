public import Wire

/// Whose a work is, and how much of the line it takes: what decides whose turn it is where works wait.
public struct TenantShare: Equatable, Sendable {
    public var tenant: String
    /// Its share of what there is, against the weights of the others that wait.
    public var weight: Double
    /// What the work is expected to take, in tokens of prompt and answer.
    public var cost: Int
    /// Among the tenant's own works the lower ones go first.
    public var priority: Int32
    /// Works of the tenant that may wait at once.
    public var waitingLimit: Int

    public init(
        tenant: String = "", weight: Double = 1, cost: Int = 1, priority: Int32 = 0, waitingLimit: Int = .max
    ) {
        self.tenant = tenant
        self.weight = weight
        self.cost = cost
        self.priority = priority
        self.waitingLimit = waitingLimit
    }

    /// The share of a request as a frame states it.
    public init(tenant: String, _ options: GenerationOptions, cost: Int) {
        self.init(
            tenant: tenant, weight: options.weight == 0 ? 1 : Double(options.weight) / 1000, cost: cost,
            priority: options.priority)
    }

    /// The weight, where it can be divided by.
    var safeWeight: Double { weight.isFinite && weight > 0.000_001 ? min(weight, 1_000_000) : 0.000_001 }
}
