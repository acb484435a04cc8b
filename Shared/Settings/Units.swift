/// Texts of durations and byte counts, as people write them in settings.
enum Units {
    private static let durations: [(suffix: String, nanoseconds: Double)] = [
        ("ns", 1), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9),
    ]
    private static let sizes: [(suffix: String, bytes: Double)] = [
        ("KiB", 1024), ("MiB", 1_048_576), ("GiB", 1_073_741_824), ("TiB", 1_099_511_627_776),
        ("kB", 1e3), ("KB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12), ("B", 1),
    ]

    /// Reads `250ms`, `1.5s`, `2m`; a bare number only if it is 0. Nil for anything else, negative or beyond 292 years.
    static func duration(_ text: String) -> Duration? {
        let (number, suffix) = split(text)
        guard let number else { return nil }
        if suffix.isEmpty { return number == 0 ? .zero : nil }
        guard let unit = durations.first(where: { $0.suffix == suffix }) else { return nil }
        let nanoseconds = (number * unit.nanoseconds).rounded()
        guard nanoseconds < 9.2e18 else { return nil }
        return .nanoseconds(Int64(nanoseconds))
    }

    /// Reads `4096`, `64KiB`, `1.5GB`. Nil for anything else, negative or beyond 63 bits.
    static func bytes(_ text: String) -> Int? {
        let (number, suffix) = split(text)
        guard let number else { return nil }
        if suffix.isEmpty { return Int(text) }
        guard let unit = sizes.first(where: { $0.suffix == suffix }) else { return nil }
        let bytes = (number * unit.bytes).rounded()
        guard bytes < 9.2e18 else { return nil }
        return Int(bytes)
    }

    /// The shortest text that `duration` reads back.
    static func text(_ duration: Duration) -> String {
        let nanoseconds = nanoseconds(duration)
        guard nanoseconds != 0 else { return "0" }
        for (suffix, unit) in [("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000)]
            as [(String, UInt64)]
        where nanoseconds.isMultiple(of: unit) { return "\(nanoseconds / unit)\(suffix)" }
        if nanoseconds.isMultiple(of: 1_000_000) { return "\(nanoseconds / 1_000_000)ms" }
        if nanoseconds.isMultiple(of: 1000) { return "\(nanoseconds / 1000)us" }
        return "\(nanoseconds)ns"
    }

    /// The shortest text that `bytes` reads back.
    static func text(bytes: Int) -> String {
        guard bytes > 0 else { return "\(bytes)" }
        for (suffix, unit) in [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        where bytes.isMultiple(of: unit) { return "\(bytes / unit)\(suffix)" }
        return "\(bytes)"
    }

    /// Nanoseconds of a duration; 0 if negative, the largest value if there are more than 64 bits hold.
    static func nanoseconds(_ duration: Duration) -> UInt64 {
        let (seconds, attoseconds) = duration.components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (whole, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return .max }
        let (sum, carry) = whole.addingReportingOverflow(UInt64(attoseconds / 1_000_000_000))
        return carry ? .max : sum
    }

    /// A non-negative decimal number and what follows it, blanks between them dropped.
    private static func split(_ text: String) -> (Double?, String) {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let rest = text.dropFirst(digits.count).drop { $0 == " " }
        return (Double(digits), String(rest))
    }
}
