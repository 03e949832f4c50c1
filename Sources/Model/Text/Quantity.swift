/// A resource quantity, exact to a billionth. (k8s.io/apimachinery/pkg/api/resource)
package struct Quantity: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// How it was written, which is how it is printed again.
    package enum Format: Sendable, Hashable { case decimal, binary, exponent }

    package let nano: Int128
    package let format: Format

    package init(nano: Int128, format: Format = .decimal) {
        self.nano = nano
        self.format = format
    }
    package init(_ value: Int, format: Format = .decimal) { self.init(nano: Int128(value) * Self.one, format: format) }
    package init(milli: Int) { self.init(nano: Int128(milli) * 1_000_000) }

    private static let one: Int128 = 1_000_000_000
    private static let binarySuffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]
    private static let decimalSuffixes = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"]

    /// `100m`, `1.5Gi`, `1e3`, `12`
    package init?(_ text: String) {
        var rest = text.utf8[...]
        var negative = false
        if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            negative = sign == UInt8(ascii: "-")
            rest = rest.dropFirst()
        }
        var digits: Int128 = 0
        var scale = 0, seen = 0, hasPoint = false
        while let byte = rest.first {
            if byte == UInt8(ascii: "."), !hasPoint {
                hasPoint = true
            } else if (0x30...0x39).contains(byte) {
                guard seen < 24 else { return nil }
                digits = digits * 10 + Int128(byte - 0x30)
                seen += 1
                if hasPoint { scale += 1 }
            } else {
                break
            }
            rest = rest.dropFirst()
        }
        guard seen > 0, let suffix = String(Substring(rest)) as String? else { return nil }
        let value = digits * Self.one, magnitude: Int128, divisor = Self.power(10, scale)
        if let power = Self.binarySuffixes.firstIndex(of: suffix), power > 0 {
            magnitude = Self.product(value, 1 << (10 * power), over: divisor)
            format = .binary
        } else if let place = Self.decimalSuffixes.firstIndex(of: suffix) {
            magnitude =
                place >= 3
                ? Self.product(value, Self.power(1000, place - 3), over: divisor)
                : Self.product(value / Self.power(1000, 3 - place), 1, over: divisor)
            format = .decimal
        } else if let first = suffix.first, first == "e" || first == "E", let exponent = Int(suffix.dropFirst()),
            (-18...18).contains(exponent)
        {
            magnitude =
                exponent >= 0
                ? Self.product(value, Self.power(10, exponent), over: divisor)
                : Self.product(value / Self.power(10, -exponent), 1, over: divisor)
            format = .exponent
        } else {
            return nil
        }
        nano = negative ? -magnitude : magnitude
    }

    /// `value` times `factor` over `divisor`: less than the least there is counts as that, away from zero, and more than 2^63-1 as that.
    /// (k8s.io/apimachinery/pkg/api/resource, ParseQuantity)
    private static func product(_ value: Int128, _ factor: Int128, over divisor: Int128) -> Int128 {
        let most = Int128(Int64.max) * one
        let (product, overflows) = value.multipliedReportingOverflow(by: factor)
        if !overflows, product <= Int128.max - divisor { return min((product + divisor - 1) / divisor, most) }
        let (rough, isHuge) = (value / divisor).multipliedReportingOverflow(by: factor)
        return isHuge ? most : min(rough, most)
    }

    private static func power(_ base: Int128, _ exponent: Int) -> Int128 { (0..<exponent).reduce(1) { result, _ in result * base } }

    /// In the canonical form: the largest suffix that leaves a whole number.
    package var description: String {
        if nano == 0 { return "0" }
        if format == .binary, nano % Self.one == 0 {
            var value = nano / Self.one, power = 0
            if abs(value) >= 1024 {
                while value % 1024 == 0, power < 6 {
                    value /= 1024
                    power += 1
                }
                return "\(value)\(Self.binarySuffixes[power])"
            }
        }
        var value = nano, place = 0
        while value % 1000 == 0, place < 9 {
            value /= 1000
            place += 1
        }
        if format == .exponent { return place == 3 ? "\(value)" : "\(value)e\((place - 3) * 3)" }
        return "\(value)\(Self.decimalSuffixes[place])"
    }

    /// The quantity that a text says, as the API prints it again: the text itself where it is canonical enough for upstream's parser.
    /// `toMilli`: nothing below a thousandth counts, as in a list of resources.
    /// (k8s.io/apimachinery/pkg/api/resource, ParseQuantity and RoundUp)
    package static func printed(_ text: String, toMilli: Bool) -> String? {
        guard var quantity = Quantity(text) else { return nil }
        if quantity.isKept(text, leastScale: toMilli ? -3 : -9) { return text }
        if toMilli, quantity.nano % 1_000_000 != 0 {
            let up = quantity.nano > 0 ? 999_999 : -999_999 as Int128
            quantity = Quantity(nano: (quantity.nano + up) / 1_000_000 * 1_000_000, format: quantity.format)
        }
        return quantity.description
    }

    /// Whether upstream keeps the text that it has read.
    private func isKept(_ text: String, leastScale: Int) -> Bool {
        if text == "0" { return true }
        var rest = text.utf8[...]
        if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
        let isDigit = { (byte: UInt8) in (0x30...0x39).contains(byte) }
        let whole = rest.drop { $0 == 0x30 }.prefix(while: isDigit)
        rest = rest.drop(while: isDigit)
        var fraction = rest.prefix(0)
        if rest.first == UInt8(ascii: ".") {
            fraction = rest.dropFirst().prefix(while: isDigit)
            rest = rest.dropFirst(fraction.count + 1)
        }
        let suffix = String(Substring(rest))
        if let power = Self.binarySuffixes.firstIndex(of: suffix), power > 0 {
            // The digits that the sum may have, less those that the suffix takes.
            guard fraction.isEmpty, 15 - whole.count - power * 3 - 1 >= 0, let last = Int(String(Substring(whole))) else { return false }
            return last & 7 != 0
        }
        let exponent: Int
        if let place = Self.decimalSuffixes.firstIndex(of: suffix) {
            exponent = (place - 3) * 3
        } else {
            exponent = Int(suffix.dropFirst()) ?? 0
        }
        let digits = Array(whole) + Array(fraction), scale = exponent - fraction.count
        guard digits.count <= 18, scale >= leastScale, scale % 3 == 0, let first = digits.first, first != 0x30 else { return false }
        return digits.suffix(3) != [0x30, 0x30, 0x30]
    }

    package var milli: Int { Int(clamping: (nano + 999_999) / 1_000_000) }
    /// Rounded up.
    package var value: Int { Int(clamping: (nano + Self.one - 1) / Self.one) }

    package static func == (a: Self, b: Self) -> Bool { a.nano == b.nano }
    package func hash(into hasher: inout Hasher) { hasher.combine(nano) }
    package static func < (a: Self, b: Self) -> Bool { a.nano < b.nano }
    package static func + (a: Self, b: Self) -> Self { Self(nano: a.nano + b.nano, format: a.nano == 0 ? b.format : a.format) }
    package static func - (a: Self, b: Self) -> Self { Self(nano: a.nano - b.nano, format: a.nano == 0 ? b.format : a.format) }
}
