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

    /// The wall clock. Callers that must be testable take a `@Sendable () -> Timestamp` instead.
    package static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(seconds: time.tv_sec, nanoseconds: time.tv_nsec)
    }

    package init?(_ text: String) {
        let fields = text.split { !$0.isNumber }
        guard text.hasSuffix("Z"), fields.count >= 6 else { return nil }
        let numbers = fields.prefix(6).compactMap { Int($0) }
        guard numbers.count == 6, (1...12).contains(numbers[1]), (1...31).contains(numbers[2]), numbers[3] < 24, numbers[4] < 60, numbers[5] <= 60,
            Array(text).indices.contains(19), [4, 7].allSatisfy({ Array(text)[$0] == "-" }), [13, 16].allSatisfy({ Array(text)[$0] == ":" })
        else { return nil }
        let days = Timestamp.days(year: numbers[0], month: numbers[1], day: numbers[2])
        seconds = days * 86400 + numbers[3] * 3600 + numbers[4] * 60 + numbers[5]
        nanoseconds = fields.count > 6 ? Int((fields[6] + "000000000").prefix(9)) ?? 0 : 0
    }

    /// `2026-11-23T10:15:00Z`
    package var description: String {
        let (year, month, day) = Timestamp.civil(days: Timestamp.floorDivide(seconds, 86400))
        let time = seconds - Timestamp.floorDivide(seconds, 86400) * 86400
        return "\(year)-\(pad(month, 2))-\(pad(day, 2))T\(pad(time / 3600, 2)):\(pad(time / 60 % 60, 2)):\(pad(time % 60, 2))Z"
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

    private static func floorDivide(_ a: Int, _ b: Int) -> Int { a >= 0 ? a / b : (a - b + 1) / b }

    // Howard Hinnant, "chrono-compatible low-level date algorithms".
    private static func days(year: Int, month: Int, day: Int) -> Int {
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
