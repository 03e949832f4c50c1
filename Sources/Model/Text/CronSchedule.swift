/// `minute hour day-of-month month day-of-week`, as CronJobs are scheduled. (kubernetes.io/docs/concepts/workloads/controllers/cron-jobs;
/// github.com/robfig/cron/v3, in its words)
package struct CronSchedule: Sendable, Hashable {
    private let minutes: Set<Int>
    private let hours: Set<Int>
    private let days: Set<Int>
    private let months: Set<Int>
    private let weekdays: Set<Int>
    private let anyDay: Bool
    private let anyWeekday: Bool
    /// `@every 5m`, in seconds.
    private let interval: Int?

    package struct Invalid: Error, CustomStringConvertible { package let description: String }

    private static let monthNames = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    private static let dayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
    private static let nicknames = [
        "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0", "@daily": "0 0 * * *",
        "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
    ]

    package init(_ text: String) throws(Invalid) {
        let written = Self.nicknames[text] ?? text
        if written.hasPrefix("@every ") {
            let length = String(written.dropFirst(7))
            guard let duration = GoDuration(length) else {
                throw Invalid(description: "failed to parse duration \(text): time: invalid duration \"\(length)\"")
            }
            // Less than a second is a second.
            interval = max(1, duration.seconds)
            (minutes, hours, days, months, weekdays, anyDay, anyWeekday) = ([], [], [], [], [], true, true)
            return
        }
        if written.hasPrefix("@") { throw Invalid(description: "unrecognized descriptor: \(text)") }
        let fields = written.split(whereSeparator: \.isWhitespace).map(String.init)
        guard fields.count == 5 else {
            throw Invalid(description: "expected exactly 5 fields, found \(fields.count): [\(fields.joined(separator: " "))]")
        }
        minutes = try Self.values(fields[0], 0...59, [])
        hours = try Self.values(fields[1], 0...23, [])
        days = try Self.values(fields[2], 1...31, [])
        months = try Self.values(fields[3], 1...12, Self.monthNames)
        weekdays = try Self.values(fields[4], 0...6, Self.dayNames)
        anyDay = Self.isAny(fields[2])
        anyWeekday = Self.isAny(fields[4])
        interval = nil
    }

    /// Whether a field says nothing of the day, so that the other field alone decides. One with a step, such as `*/2`, says something.
    private static func isAny(_ field: String) -> Bool {
        field.split(separator: ",").contains { part in
            let sides = part.split(separator: "/")
            return (sides.first == "*" || sides.first == "?") && (sides.count == 1 || Int(sides[1]) == 1)
        }
    }

    private static func values(_ field: String, _ range: ClosedRange<Int>, _ names: [String]) throws(Invalid) -> Set<Int> {
        var result: Set<Int> = []
        func number(_ text: Substring) throws(Invalid) -> Int {
            if let index = names.firstIndex(of: text.lowercased()) { return index + (names.count == 12 ? 1 : 0) }
            guard let value = Int(text) else {
                throw Invalid(description: "failed to parse int from \(text): strconv.Atoi: parsing \"\(text)\": invalid syntax")
            }
            return value
        }
        for part in field.split(separator: ",") {
            let sides = part.split(separator: "/", omittingEmptySubsequences: false)
            guard sides.count <= 2, let span = sides.first else { throw Invalid(description: "too many slashes: \(part)") }
            let step = sides.count == 2 ? try number(sides[1]) : 1
            guard step > 0 else { throw Invalid(description: "step of range should be a positive number: \(part)") }
            var low = range.lowerBound, high = range.upperBound
            if span != "*", span != "?" {
                let ends = span.split(separator: "-", omittingEmptySubsequences: false)
                guard let first = ends.first, ends.count <= 2 else { throw Invalid(description: "too many hyphens: \(part)") }
                low = try number(first)
                high = ends.count == 2 ? try number(ends[1]) : sides.count == 2 ? range.upperBound : low
            }
            guard low >= range.lowerBound else {
                throw Invalid(description: "beginning of range (\(low)) below minimum (\(range.lowerBound)): \(part)")
            }
            guard high <= range.upperBound else {
                throw Invalid(description: "end of range (\(high)) above maximum (\(range.upperBound)): \(part)")
            }
            guard low <= high else { throw Invalid(description: "beginning of range (\(low)) beyond end of range (\(high)): \(part)") }
            result.formUnion(stride(from: low, through: high, by: step))
        }
        return result
    }

    /// The first moment after `time` that the schedule names, by the clocks of `zone`; nil when there is none in the next five years. An
    /// hour that the clocks leave out has no moments, one that they show twice has them twice, as github.com/robfig/cron has it.
    package func next(after time: Timestamp, in zone: TimeZone = .utc) -> Timestamp? {
        if let interval { return Timestamp(seconds: time.seconds + interval) }
        var seconds = (time.seconds / 60 + 1) * 60
        let limit = seconds + 5 * 366 * 86400
        while seconds < limit {
            let offset = zone.offset(at: seconds), local = seconds + offset
            let date = Timestamp.calendar(seconds: local)
            let dayFits =
                anyDay || anyWeekday
                ? days.contains(date.day) && weekdays.contains(date.weekday) : days.contains(date.day) || weekdays.contains(date.weekday)
            if !months.contains(date.month) || !dayFits {
                let midnight = seconds + 86400 - (date.hour * 60 + date.minute) * 60
                // Where the clocks change meanwhile, midnight is elsewhere: go by the hour.
                seconds = zone.offset(at: midnight) == offset ? midnight : seconds + (60 - date.minute) * 60
            } else if !hours.contains(date.hour) {
                seconds += (60 - date.minute) * 60
            } else if !minutes.contains(date.minute) {
                seconds += 60
            } else {
                return Timestamp(seconds: seconds)
            }
        }
        return nil
    }

    /// The last moment after `start` and not after `end` that the schedule names.
    package func last(after start: Timestamp, through end: Timestamp, in zone: TimeZone = .utc) -> Timestamp? {
        guard start < end else { return nil }
        if let interval {
            let count = (end.seconds - start.seconds) / interval
            return count > 0 ? Timestamp(seconds: start.seconds + count * interval) : nil
        }
        // From the end: far fewer moments have to be looked at than may have been missed.
        var span = 60
        while true {
            let from = Timestamp(seconds: max(start.seconds, end.seconds - span))
            if var found = next(after: from, in: zone), found <= end {
                while let later = next(after: found, in: zone), later <= end { found = later }
                return found
            }
            if from.seconds == start.seconds { return nil }
            span *= 2
        }
    }
}
