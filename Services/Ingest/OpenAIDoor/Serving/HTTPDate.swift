import NIOCore

/// A time of the field `Date`: RFC 9110, section 5.6.7.
struct HTTPDate {
    /// Since 1970.
    let seconds: Int64
    let text: ByteBuffer

    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// - Parameter seconds: Since 1970, not negative.
    init(seconds: Int64) {
        self.seconds = seconds
        let seconds = max(0, seconds)
        let (day, second) = seconds.quotientAndRemainder(dividingBy: 86_400)
        let date = Self.date(day)
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let time = "\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60))"
        let month = Self.months[Int(date.month) - 1]
        text = ByteBuffer(
            string: "\(Self.days[Int(day % 7)]), \(two(date.day)) \(month) \(date.year) \(time) GMT")
    }

    /// From days since 1970, none negative: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    private static func date(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (
            yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        )
    }
}
