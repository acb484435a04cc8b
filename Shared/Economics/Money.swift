/// An exact amount of money in integer nano-dollars (10⁻⁹ of the price list's currency unit).
///
/// One unit is a billionth of a dollar, so a price of $0.10 per million tokens is 100 per token. The most that one
/// request can cost is below 2⁶³ units, so 128 bits hold the sum over 2⁶⁴ of them. Arithmetic is checked: nothing wraps
/// and nothing is rounded.
public struct Money: Hashable, Sendable {
    public var nanodollars: Int128

    public init(nanodollars: Int128) { self.nanodollars = nanodollars }

    public static let zero = Money(nanodollars: 0)

    /// The sum. Throws when it does not fit.
    public func adding(_ other: Money) throws(AmountOverflow) -> Money {
        let (sum, overflow) = nanodollars.addingReportingOverflow(other.nanodollars)
        guard !overflow else { throw AmountOverflow() }
        return Money(nanodollars: sum)
    }

    /// The difference. Throws when it does not fit.
    public func subtracting(_ other: Money) throws(AmountOverflow) -> Money {
        let (difference, overflow) = nanodollars.subtractingReportingOverflow(other.nanodollars)
        guard !overflow else { throw AmountOverflow() }
        return Money(nanodollars: difference)
    }

    /// The product with a count. Throws when it does not fit.
    public func times(_ count: Int128) throws(AmountOverflow) -> Money {
        let (product, overflow) = nanodollars.multipliedReportingOverflow(by: count)
        guard !overflow else { throw AmountOverflow() }
        return Money(nanodollars: product)
    }
}

/// An amount left the range of its type.
public struct AmountOverflow: Error, Equatable, Sendable, CustomStringConvertible {
    public init() {}
    public var description: String { "an amount does not fit its type" }
}

extension Money: Comparable {
    public static func < (a: Money, b: Money) -> Bool { a.nanodollars < b.nanodollars }
}

extension Money: CustomStringConvertible {
    /// Dollars with all nine decimals, exactly: `-0.000000250`.
    public var description: String {
        let magnitude = nanodollars.magnitude
        let fraction = String(magnitude % 1_000_000_000)
        let padded = String(repeating: "0", count: 9 - fraction.count) + fraction
        return (nanodollars < 0 ? "-" : "") + String(magnitude / 1_000_000_000) + "." + padded
    }
}
