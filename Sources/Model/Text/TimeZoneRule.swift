/// Summer and winter time for all years to come, as TZif's footer has it: `CET-1CEST,M3.5.0,M10.5.0/3`. (RFC 9636, 3.3; POSIX, TZ)
struct TimeZoneRule: Sendable, Hashable {
    private let standard: Int
    private let summer: Summer?

    private struct Summer: Hashable {
        let offset: Int
        let start: Day
        let end: Day
    }

    /// A day of the year and the second of it, by the clocks before the change.
    private struct Day: Hashable {
        enum Date: Hashable {
            /// The `week`th such weekday of the month, 5 being the last.
            case month(Int, week: Int, weekday: Int)
            /// The day of the year from 1, February 29 not counted.
            case julian(Int)
            /// The day of the year from 0.
            case day(Int)
        }
        let date: Date
        let second: Int

        /// In seconds since the epoch, as if the clocks showed UTC.
        func moment(year: Int) -> Int {
            let days =
                switch date {
                case .month(let month, let week, let weekday): Self.day(year, month, week, weekday)
                case .julian(let day): Timestamp.days(year: year, month: 1, day: 1) + day - (Self.isLeap(year) && day >= 60 ? 0 : 1)
                case .day(let day): Timestamp.days(year: year, month: 1, day: 1) + day
                }
            return days * 86400 + second
        }

        private static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && year % 100 != 0 || year % 400 == 0 }

        private static func day(_ year: Int, _ month: Int, _ week: Int, _ weekday: Int) -> Int {
            let first = Timestamp.days(year: year, month: month, day: 1)
            let next = Timestamp.days(year: month == 12 ? year + 1 : year, month: month == 12 ? 1 : month + 1, day: 1)
            // 1970-01-01 was a Thursday.
            let day = first + ((weekday - (first + 4) % 7) % 7 + 7) % 7 + (week - 1) * 7
            return day < next ? day : day - 7
        }
    }

    init?(_ text: String) {
        var rest = text[...]
        guard Self.name(&rest), let west = Self.time(&rest) else { return nil }
        standard = -west
        guard !rest.isEmpty else {
            summer = nil
            return
        }
        guard Self.name(&rest) else { return nil }
        let offset = rest.first == "," ? standard + 3600 : Self.time(&rest).map { -$0 }
        guard let offset, let start = Self.day(&rest), let end = Self.day(&rest), rest.isEmpty else { return nil }
        summer = Summer(offset: offset, start: start, end: end)
    }

    func offset(at time: Int) -> Int {
        guard let summer else { return standard }
        let year = Timestamp.calendar(seconds: time + standard).year
        let start = summer.start.moment(year: year) - standard, end = summer.end.moment(year: year) - summer.offset
        // South of the equator summer ends before it starts.
        let isSummer = start < end ? (start..<end).contains(time) : !(end..<start).contains(time)
        return isSummer ? summer.offset : standard
    }

    private static func name(_ rest: inout Substring) -> Bool {
        let before = rest
        if rest.first == "<" {
            rest = rest.drop { $0 != ">" }.dropFirst()
        } else {
            rest = rest.drop { $0.isLetter }
        }
        return rest.startIndex != before.startIndex
    }

    /// `[+-]hh[:mm[:ss]]`
    private static func time(_ rest: inout Substring) -> Int? {
        var sign = 1
        if let first = rest.first, first == "-" || first == "+" {
            sign = first == "-" ? -1 : 1
            rest = rest.dropFirst()
        }
        let text = rest.prefix { $0.isNumber || $0 == ":" }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
        guard (1...3).contains(parts.count), parts.allSatisfy({ $0 != nil }) else { return nil }
        rest = rest.dropFirst(text.count)
        let numbers = parts.compactMap { $0 } + [0, 0]
        return sign * (numbers[0] * 3600 + numbers[1] * 60 + numbers[2])
    }

    /// `,date[/time]`
    private static func day(_ rest: inout Substring) -> Day? {
        guard rest.first == "," else { return nil }
        rest = rest.dropFirst()
        let text = rest.prefix { $0 != "/" && $0 != "," }
        rest = rest.dropFirst(text.count)
        let numbers = text.drop { $0.isLetter }.split(separator: ".", omittingEmptySubsequences: false).compactMap { Int($0) }
        let date: Day.Date? =
            switch (text.first, numbers.count) {
            case ("M", 3): .month(numbers[0], week: numbers[1], weekday: numbers[2])
            case ("J", 1): .julian(numbers[0])
            case (_, 1): .day(numbers[0])
            default: nil
            }
        guard let date else { return nil }
        guard rest.first == "/" else { return Day(date: date, second: 2 * 3600) }
        rest = rest.dropFirst()
        return time(&rest).map { Day(date: date, second: $0) }
    }
}
