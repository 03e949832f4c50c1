import Model

/// The terms of a field selector: `a=b`, `c==d`, `e!=f`, with commas between them. (k8s.io/apimachinery/pkg/fields, ParseSelector)
enum FieldTerms {
    static func read(_ text: String) throws -> [(name: String, value: String, isNegated: Bool)] {
        try split(text).filter { !$0.isEmpty }.map { term in
            for sign in ["!=", "==", "="] {
                guard let place = term.firstRange(of: sign), !isEarlier("=", in: term, than: place.lowerBound) else { continue }
                return (term[..<place.lowerBound].trimmed, try unescaped(term[place.upperBound...], term), sign == "!=")
            }
            throw StatusError.badRequest("invalid selector: '\(text)'; can't understand '\(term)'")
        }
    }

    private static func isEarlier(_ sign: Character, in term: String, than place: String.Index) -> Bool {
        term.firstIndex(of: sign).map { $0 < place } ?? false
    }

    /// At commas that no backslash stands before.
    private static func split(_ text: String) -> [String] {
        var terms = [""], isEscaped = false
        for character in text {
            if character == ",", !isEscaped {
                terms.append("")
            } else {
                terms[terms.count - 1].append(character)
            }
            isEscaped = character == "\\" && !isEscaped
        }
        return terms
    }

    /// A value's commas, equals signs and backslashes stand behind a backslash.
    private static func unescaped(_ text: Substring, _ term: String) throws -> String {
        var value = "", isEscaped = false
        for character in text {
            if isEscaped {
                guard "\\,=".contains(character) else {
                    throw StatusError.badRequest("invalid field selector: invalid escape sequence: \\\(character)")
                }
                value.append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "=" {
                throw StatusError.badRequest("invalid field selector: unescaped character in value: \(character)")
            } else {
                value.append(character)
            }
        }
        return value
    }
}
