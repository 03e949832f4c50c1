import Model

/// A command line as Go's tools read it: `--name value`, `--name=value`, switches; what is no flag stands for itself.
/// (github.com/spf13/pflag)
struct Arguments {
    enum Kind { case text, isSet, duration, number }

    private var values: [String: String] = [:]
    private(set) var lists: [String: [String]] = [:]
    private(set) var positional: [String] = []

    /// `shorts`: letters, and the flags that they stand for.
    init(_ words: [String], _ flags: [String: Kind], shorts: [String: String] = [:]) throws(KubeadmError) {
        var words = words[...]
        var isOpen = true
        while let word = words.popFirst() {
            if isOpen, word == "--" {
                isOpen = false
            } else if isOpen, word.hasPrefix("--") {
                let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                try take(parts[0], "--\(parts[0])", parts.count > 1 ? parts[1] : nil, flags, &words)
            } else if isOpen, word.hasPrefix("-"), word.count > 1 {
                let letter = String(word.dropFirst().prefix(1)), rest = word.dropFirst(2)
                guard let name = shorts[letter] else {
                    throw KubeadmError("unknown shorthand flag: '\(letter)' in \(word)")
                }
                let value = rest.isEmpty ? nil : rest.hasPrefix("=") ? String(rest.dropFirst()) : String(rest)
                try take(name, "-\(letter), --\(name)", value, flags, &words)
            } else {
                positional.append(word)
            }
        }
    }

    private mutating func take(
        _ name: String, _ shown: String, _ given: String?, _ flags: [String: Kind], _ words: inout ArraySlice<String>
    ) throws(KubeadmError) {
        guard let kind = flags[name] else { throw KubeadmError("unknown flag: --\(name)") }
        if case .isSet = kind {
            let value = given ?? "true"
            guard ["true", "false", "1", "0", "t", "f", "TRUE", "FALSE", "True", "False", "T", "F"].contains(value) else {
                throw KubeadmError(
                    "invalid argument \"\(value)\" for \"\(shown)\" flag: strconv.ParseBool: parsing \"\(value)\": invalid syntax")
            }
            values[name] = "\("1tT".contains(value.prefix(1)))"
            return
        }
        guard let value = given ?? words.popFirst() else { throw KubeadmError("flag needs an argument: --\(name)") }
        switch kind {
        case .duration where GoDuration(value) == nil:
            throw KubeadmError("invalid argument \"\(value)\" for \"\(shown)\" flag: time: invalid duration \"\(value)\"")
        case .number where Int32(value) == nil:
            throw KubeadmError(
                "invalid argument \"\(value)\" for \"\(shown)\" flag: strconv.ParseInt: parsing \"\(value)\": invalid syntax")
        default: break
        }
        values[name] = value
        lists[name, default: []] += value.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    subscript(name: String) -> String? { values[name] }
    func has(_ name: String) -> Bool { values[name] == "true" }
    var names: [String] { values.keys.sorted() }

    /// A word among those that are no flags which begins with a dash that a word processor has made long, as it stands in texts that
    /// commands are copied from.
    static func longDash(in words: [String]) -> String? {
        words.first { word in word.first.map { "\u{2013}\u{2014}\u{2012}\u{2212}\u{2015}".contains($0) } ?? false }
    }
}
