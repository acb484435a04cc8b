import Formats
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
        let date = CivilDate(days: day)
        func two(_ number: Int64) -> String { CivilDate.padded(number) }
        let time = "\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60))"
        let month = Self.months[Int(date.month) - 1]
        text = ByteBuffer(
            string: "\(Self.days[Int(day % 7)]), \(two(date.day)) \(month) \(date.year) \(time) GMT")
    }
}
