import Model

/// Kubernetes' rules for names and labels (k8s.io/apimachinery/pkg/util/validation), with its messages.
package enum Names {
    package static func isLabel(_ text: String) -> Bool {
        (1...63).contains(text.utf8.count) && text.utf8.allSatisfy { isLower($0) || isDigit($0) || $0 == 0x2D }
            && text.utf8.first != 0x2D && text.utf8.last != 0x2D
    }

    package static func isSubdomain(_ text: String) -> Bool {
        text.utf8.count <= 253 && !text.isEmpty
            && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { !$0.isEmpty && isWord($0) }
    }

    /// A label of whatever length: Kubernetes bounds the whole name only.
    private static func isWord(_ text: Substring) -> Bool {
        text.utf8.allSatisfy { isLower($0) || isDigit($0) || $0 == 0x2D } && text.utf8.first != 0x2D && text.utf8.last != 0x2D
    }

    static let subdomainMessage =
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    static let labelMessage =
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
    static let dns1035Message =
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
    static let valueMessage =
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"

    static func isLabelValue(_ text: String) -> Bool {
        if text.isEmpty { return true }
        func edge(_ byte: UInt8?) -> Bool { byte.map { isLower($0) || isDigit($0) || (0x41...0x5A).contains($0) } ?? false }
        return text.utf8.count <= 63 && edge(text.utf8.first) && edge(text.utf8.last)
            && text.utf8.allSatisfy { edge($0) || $0 == 0x2D || $0 == 0x5F || $0 == 0x2E }
    }

    static func isQualifiedName(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        switch parts.count {
        case 1: return !parts[0].isEmpty && isLabelValue(parts[0])
        case 2: return isSubdomain(parts[0]) && !parts[1].isEmpty && isLabelValue(parts[1])
        default: return false
        }
    }

    static let qualifiedNameMessage =
        "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"

    /// An IANA service name, as a port may be called (RFC 6335, 5.1); nil when it is one.
    static func portNameComplaint(_ name: String) -> String? {
        if name.utf8.count > 15 { return "must be no more than 15 characters" }
        if name.isEmpty || !name.utf8.allSatisfy({ isLower($0) || isDigit($0) || $0 == 0x2D }) {
            return "must contain only alphanumeric characters (a-z, 0-9), and hyphens (-)"
        }
        if !name.utf8.contains(where: isLower) { return "must contain at least one letter (a-z)" }
        if name.contains("--") { return "must not contain consecutive hyphens" }
        return name.hasPrefix("-") || name.hasSuffix("-") ? "must not begin or end with a hyphen" : nil
    }

    static func labels(_ json: JSON, _ path: String) -> [StatusError.Cause] {
        json.stringMap.sorted { $0.key < $1.key }.flatMap { key, value -> [StatusError.Cause] in
            var causes: [StatusError.Cause] = []
            if !isQualifiedName(key) {
                causes.append(
                    .invalid(path, .string(key), qualifiedNameMessage))
            }
            if !isLabelValue(value) { causes.append(.invalid(path, .string(value), valueMessage)) }
            return causes
        }
    }

    private static func isLower(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) }
    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
