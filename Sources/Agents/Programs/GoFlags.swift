/// Options as Go's programs take them: `-name value`, `-name=value`, one or two hyphens, a switch without a value; and from the environment
/// what is not given so. (pkg.go.dev/flag)
package struct GoFlags: Sendable {
    package enum Form: Sendable { case toggle, text, list }

    package struct Misuse: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    private let forms: [String: Form]
    private var given: [String: [String]] = [:]

    package init(_ forms: [String: Form], arguments: [String]) throws(Misuse) {
        self.forms = forms
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("-"), argument != "-" else { break }
            if argument == "--" { break }
            let body = argument.drop { $0 == "-" }, name = String(body.prefix { $0 != "=" })
            guard !name.isEmpty, argument.count - body.count <= 2 else { throw Misuse(description: "bad flag syntax: \(argument)") }
            guard let form = forms[name] else { throw Misuse(description: "flag provided but not defined: -\(name)") }
            if body.contains("=") {
                try set(name, String(body.dropFirst(name.count + 1)))
            } else if form == .toggle {
                try set(name, "true")
            } else {
                guard let value = rest.popFirst() else { throw Misuse(description: "flag needs an argument: -\(name)") }
                try set(name, value)
            }
        }
    }

    private mutating func set(_ name: String, _ value: String) throws(Misuse) {
        if forms[name] == .toggle, Self.truth(value) == nil {
            throw Misuse(description: "invalid boolean value \"\(value)\" for -\(name): parse error")
        }
        given[name] = forms[name] == .list ? (given[name] ?? []) + [value] : [value]
    }

    /// PREFIX_SOME_FLAG for some-flag. A variable that says nothing is none.
    package mutating func take(from environment: [String: String], prefix: String) throws(Misuse) {
        for name in forms.keys.sorted() where given[name] == nil {
            let variable = "\(prefix)_\(name.uppercased().replacing("-", with: "_"))"
            if let value = environment[variable], !value.isEmpty { try set(name, value) }
        }
    }

    package func has(_ name: String) -> Bool { given[name] != nil }
    package func text(_ name: String) -> String? { given[name]?.last.flatMap { $0.isEmpty ? nil : $0 } }
    package func list(_ name: String) -> [String] { (given[name] ?? []).filter { !$0.isEmpty } }
    package func isOn(_ name: String, otherwise standard: Bool = false) -> Bool { given[name]?.last.flatMap(Self.truth) ?? standard }

    /// (strconv.ParseBool)
    package static func truth(_ text: String) -> Bool? {
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": true
        case "0", "f", "F", "false", "FALSE", "False": false
        default: nil
        }
    }
}
