#if canImport(Glibc)
    import Glibc
#endif

/// An instant in UTC, written as RFC 3339: whole seconds in objects, nanoseconds in logs.
package struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let seconds: Int
    package let nanoseconds: Int

    package init(seconds: Int, nanoseconds: Int = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// What is waited for, or added to a time, of a number of seconds that anybody may have written: beyond a century none makes a
    /// difference, and neither clocks nor sums take the largest numbers there are.
    package static func bounded(_ seconds: Int) -> Int { min(max(seconds, -century), century) }
    private static let century = 100 * 366 * 86400

    /// The wall clock. Callers that must be testable take a `@Sendable () -> Timestamp` instead.
    package static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(seconds: time.tv_sec, nanoseconds: time.tv_nsec)
    }

    /// RFC 3339, with `Z` or an offset.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int? {
            guard range.upperBound <= bytes.count else { return nil }
            return bytes[range].reduce(0 as Int?) { value, byte in
                value.flatMap { (0x30...0x39).contains(byte) ? $0 * 10 + Int(byte - 0x30) : nil }
            }
        }
        guard bytes.count >= 20, bytes[4] == 0x2D, bytes[7] == 0x2D, bytes[10] | 0x20 == 0x74, bytes[13] == 0x3A, bytes[16] == 0x3A,
            let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16),
            let second = number(17..<19), (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        var place = 19
        var fraction: [UInt8] = []
        if bytes[place] == 0x2E {
            fraction = Array(bytes[(place + 1)...].prefix { (0x30...0x39).contains($0) })
            place += 1 + fraction.count
            guard !fraction.isEmpty, place < bytes.count else { return nil }
        }
        var offset = 0
        switch bytes[place] {
        case UInt8(ascii: "Z"), UInt8(ascii: "z"): guard bytes.count == place + 1 else { return nil }
        case UInt8(ascii: "+"), UInt8(ascii: "-"):
            guard bytes.count == place + 6, bytes[place + 3] == 0x3A, let hours = number(place + 1..<place + 3),
                let minutes = number(place + 4..<place + 6)
            else { return nil }
            offset = (hours * 60 + minutes) * 60 * (bytes[place] == 0x2D ? -1 : 1)
        default: return nil
        }
        seconds = Timestamp.days(year: year, month: month, day: day) * 86400 + hour * 3600 + minute * 60 + second - offset
        nanoseconds = (0..<9).reduce(0) { $0 * 10 + ($1 < fraction.count ? Int(fraction[$1] - 0x30) : 0) }
    }

    /// `2026-11-23T10:15:00Z`
    package var description: String { local + "Z" }

    /// `2026-11-23T11:15:00+01:00`, by clocks that are `offset` seconds ahead of UTC.
    package func description(offset: Int) -> String {
        guard offset != 0 else { return description }
        let minutes = abs(offset) / 60
        return "\(Timestamp(seconds: seconds + offset).local)\(offset < 0 ? "-" : "+")\(pad(minutes / 60, 2)):\(pad(minutes % 60, 2))"
    }

    private var local: String {
        let (year, month, day) = Timestamp.civil(days: Timestamp.floorDivide(seconds, 86400))
        let time = seconds - Timestamp.floorDivide(seconds, 86400) * 86400
        return "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))T\(pad(time / 3600, 2)):\(pad(time / 60 % 60, 2)):\(pad(time % 60, 2))"
    }

    /// `2026-11-23T10:15:00.123456789Z`
    package var precise: String { description.dropLast() + ".\(pad(nanoseconds, 9))Z" }

    package static func < (a: Timestamp, b: Timestamp) -> Bool {
        (a.seconds, a.nanoseconds) < (b.seconds, b.nanoseconds)
    }

    private func pad(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// The date and time of day in UTC; the week begins with Sunday, 0.
    package static func calendar(seconds: Int) -> (year: Int, month: Int, day: Int, weekday: Int, hour: Int, minute: Int) {
        let days = floorDivide(seconds, 86400), time = seconds - floorDivide(seconds, 86400) * 86400
        let (year, month, day) = civil(days: days)
        return (year, month, day, ((days + 4) % 7 + 7) % 7, time / 3600, time / 60 % 60)
    }

    private static func floorDivide(_ a: Int, _ b: Int) -> Int { a >= 0 ? a / b : (a - b + 1) / b }

    // Howard Hinnant, "chrono-compatible low-level date algorithms".
    static func days(year: Int, month: Int, day: Int) -> Int {
        let y = month <= 2 ? year - 1 : year
        let era = floorDivide(y, 400)
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719468
    }

    private static func civil(days: Int) -> (Int, Int, Int) {
        let z = days + 719468
        let era = floorDivide(z, 146097)
        let dayOfEra = z - era * 146097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let mp = (5 * dayOfYear + 2) / 153
        let month = mp < 10 ? mp + 3 : mp - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * mp + 2) / 5 + 1)
    }
}

/// The age column of `kubectl get`: k8s.io/apimachinery/pkg/util/duration.HumanDuration.
package func humanDuration(seconds: Int) -> String {
    if seconds < 0 { return seconds > -2 ? "0s" : "<invalid>" }
    if seconds < 120 { return "\(seconds)s" }
    let minutes = seconds / 60
    if minutes < 10 { return seconds % 60 == 0 ? "\(minutes)m" : "\(minutes)m\(seconds % 60)s" }
    if minutes < 180 { return "\(minutes)m" }
    let hours = minutes / 60
    if hours < 8 { return minutes % 60 == 0 ? "\(hours)h" : "\(hours)h\(minutes % 60)m" }
    if hours < 48 { return "\(hours)h" }
    let days = hours / 24
    if days < 8 { return hours % 24 == 0 ? "\(days)d" : "\(days)d\(hours % 24)h" }
    if days < 365 * 2 { return "\(days)d" }
    let years = days / 365
    if years < 8 { return days % 365 == 0 ? "\(years)y" : "\(years)y\(days % 365)d" }
    return "\(years)y"
}
