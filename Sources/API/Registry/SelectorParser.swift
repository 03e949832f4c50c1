import Model

/// Reads a label selector as `-l` and `labelSelector` take it: `a=b,c!=d,e in (f,g),!h,i>1`. (k8s.io/apimachinery/pkg/labels, Parse)
struct SelectorParser {
    private enum Token: Equatable {
        case word(String), symbol(String), end

        var text: String {
            switch self {
            case .word(let text), .symbol(let text): text
            case .end: ""
            }
        }
        var isWord: Bool { if case .word = self { true } else { false } }
    }

    private static let symbols: Set<String> = ["=", "==", "!=", "!", "(", ")", ",", ">", "<"]
    private static let special = Set("=!(),><")
    private static let operators = "in, notin, =, ==, !=, gt, lt"

    private var tokens: ArraySlice<Token>

    init(_ text: String) { tokens = Self.tokens(text)[...] }

    private static func tokens(_ text: String) -> [Token] {
        var result: [Token] = []
        var rest = text[...]
        while let first = rest.first {
            if first.isWhitespace {
                rest = rest.dropFirst()
            } else if special.contains(first) {
                // The longest that is one.
                let two = String(rest.prefix(2)), symbol = symbols.contains(two) ? two : String(first)
                result.append(.symbol(symbol))
                rest = rest.dropFirst(symbol.count)
            } else {
                let word = rest.prefix { !$0.isWhitespace && !special.contains($0) }
                result.append(.word(String(word)))
                rest = rest.dropFirst(word.count)
            }
        }
        return result
    }

    private var next: Token { tokens.first ?? .end }

    private mutating func take() -> Token { tokens.popFirst() ?? .end }

    mutating func requirements() throws(SelectorError) -> [LabelRequirement] {
        var result: [LabelRequirement] = []
        while next != .end {
            guard next.isWord || next == .symbol("!") else {
                throw SelectorError("found '\(next.text)', expected: !, identifier, or 'end of string'")
            }
            do { result.append(try requirement()) } catch { throw SelectorError("unable to parse requirement: \(error)") }
            let separator = take()
            if separator == .end { break }
            guard separator == .symbol(",") else { throw SelectorError("found '\(separator.text)', expected: ',' or 'end of string'") }
            guard next.isWord || next == .symbol("!") else {
                throw SelectorError("found '\(next.text)', expected: identifier after ','")
            }
        }
        return result
    }

    private mutating func requirement() throws(SelectorError) -> LabelRequirement {
        var first = take()
        let isAbsence = first == .symbol("!")
        if isAbsence { first = take() }
        guard case .word(let key) = first else { throw SelectorError("found '\(first.text)', expected: identifier") }
        try Self.check(Names.qualifiedNameComplaints(key), "<nil>", key)
        if isAbsence { return LabelRequirement(key: key, op: .doesNotExist, values: []) }
        if next == .end || next == .symbol(",") { return LabelRequirement(key: key, op: .exists, values: []) }
        let sign = take()
        let op: LabelRequirement.Operator
        switch sign {
        case .word("in"), .symbol("="), .symbol("=="): op = .in
        case .word("notin"), .symbol("!="): op = .notIn
        case .symbol(">"): op = .greaterThan
        case .symbol("<"): op = .lessThan
        default: throw SelectorError("found '\(sign.text)', expected: \(Self.operators)")
        }
        let values = sign.isWord ? try list() : [try value()]
        for (index, value) in values.enumerated() {
            if [.greaterThan, .lessThan].contains(op), Int(value) == nil {
                try Self.check(["for 'Gt', 'Lt' operators, the value must be an integer"], "values[\(index)]", value)
            }
            try Self.check(Names.labelValueComplaints(value), "values[\(index)][\(key)]", value)
        }
        return LabelRequirement(key: key, op: op, values: values)
    }

    private static func check(_ complaints: [String], _ field: String, _ value: String) throws(SelectorError) {
        if complaints.isEmpty { return }
        throw SelectorError("\(field): Invalid value: \(JSON.string(value).text()): \(complaints.joined(separator: "; "))")
    }

    /// What follows a sign; nothing is the empty value.
    private mutating func value() throws(SelectorError) -> String {
        if next == .end || next == .symbol(",") { return "" }
        let token = take()
        guard case .word(let text) = token else { throw SelectorError("found '\(token.text)', expected: identifier") }
        return text
    }

    /// `(a,b)`, in order and each once; between two commas, or a comma and a parenthesis, is the empty value.
    private mutating func list() throws(SelectorError) -> [String] {
        let open = take()
        guard open == .symbol("(") else { throw SelectorError("found '\(open.text)' expected: '('") }
        var values: Set<String> = []
        while true {
            if case .word(let text) = next {
                values.insert(text)
                _ = take()
                guard next == .symbol(",") || next == .symbol(")") else {
                    throw SelectorError("found '\(next.text)', expected: ',' or ')'")
                }
            } else {
                values.insert("")
            }
            let separator = take()
            if separator == .symbol(")") { return values.sorted() }
            guard separator == .symbol(",") else {
                throw SelectorError("found '\(separator.text)', expected: ',', ')' or identifier")
            }
        }
    }
}

extension LabelSelector {
    /// Reads what `-l` takes. Throws a message that names the bad part.
    package init(parsing text: String) throws(SelectorError) {
        var parser = SelectorParser(text)
        self.init(requirements: try parser.requirements())
    }
}

package struct SelectorError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
