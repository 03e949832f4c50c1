/// A length of time as Go writes it: `1h30m`, `1.5h`, `-250ms`. (pkg.go.dev/time, ParseDuration)
package struct GoDuration: Hashable, Sendable {
    /// As long as 64 bits can say, some 292 years: nothing longer is read.
    package let nanoseconds: Int

    /// Whole seconds, what is beyond them cut off.
    package var seconds: Int { nanoseconds / 1_000_000_000 }

    private static let units = [
        "ns": 1, "us": 1_000, "\u{B5}s": 1_000, "\u{3BC}s": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000,
        "h": 3_600_000_000_000,
    ]

    package init?(_ text: String) {
        var rest = text[...]
        let isNegative = rest.first == "-"
        if isNegative || rest.first == "+" { rest = rest.dropFirst() }
        guard !rest.isEmpty else { return nil }
        var total = 0
        if rest == "0" { rest = "" }
        while !rest.isEmpty {
            guard let part = Self.part(&rest) else { return nil }
            let (sum, isTooLong) = total.addingReportingOverflow(part)
            guard !isTooLong else { return nil }
            total = sum
        }
        nanoseconds = isNegative ? -total : total
    }

    /// A number and its unit, in nanoseconds.
    private static func part(_ rest: inout Substring) -> Int? {
        let whole = digits(&rest)
        var fraction = Substring()
        if rest.first == "." {
            rest = rest.dropFirst()
            fraction = digits(&rest)
        }
        guard !whole.isEmpty || !fraction.isEmpty else { return nil }
        let name = rest.prefix { $0 != "." && !isDigit($0) }
        rest = rest.dropFirst(name.count)
        guard let unit = units[String(name)], let number = whole.isEmpty ? 0 : Int(whole) else { return nil }
        var (total, isTooLong) = number.multipliedReportingOverflow(by: unit)
        guard !isTooLong else { return nil }
        var place = unit
        for digit in fraction {
            guard let value = digit.wholeNumberValue else { return nil }
            (total, isTooLong) = total.addingReportingOverflow(place * value / 10)
            guard !isTooLong else { return nil }
            // Of that a tenth: less than a nanosecond adds nothing.
            place /= 10
        }
        return total
    }

    private static func digits(_ rest: inout Substring) -> Substring {
        let found = rest.prefix(while: isDigit)
        rest = rest.dropFirst(found.count)
        return found
    }

    private static func isDigit(_ character: Character) -> Bool { character.isASCII && character.isNumber }
}
