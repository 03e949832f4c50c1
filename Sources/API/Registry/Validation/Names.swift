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

    // MARK: Complaints, each of which is a cause of its own

    static func labelComplaints(_ text: String) -> [String] {
        let isLong = text.utf8.count > 63, body = text.prefix(63)
        var complaints = isLong ? ["must be no more than 63 characters"] : []
        if !isLabel(text), !isLong || !isWord(Substring(text)) {
            complaints.append(isSubdomain(String(body)) && text.contains(".") ? "must not contain dots" : labelMessage)
        }
        return complaints
    }

    static func dns1035Complaints(_ text: String) -> [String] {
        var complaints = text.utf8.count > 63 ? ["must be no more than 63 characters"] : []
        if text.isEmpty || !isWord(Substring(text)) || !(text.utf8.first.map(isLower) ?? false) { complaints.append(dns1035Message) }
        return complaints
    }

    static func subdomainComplaints(_ text: String) -> [String] {
        var complaints = text.utf8.count > 253 ? ["must be no more than 253 characters"] : []
        let isGood = !text.isEmpty && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { !$0.isEmpty && isWord($0) }
        if !isGood { complaints.append(subdomainMessage) }
        return complaints
    }

    static func labelValueComplaints(_ text: String) -> [String] {
        if isLabelValue(text) { return [] }
        var complaints = text.utf8.count > 63 ? ["must be no more than 63 bytes"] : []
        if !hasValueForm(text) { complaints.append(valueMessage) }
        return complaints
    }

    static func qualifiedNameComplaints(_ text: String) -> [String] {
        if isQualifiedName(text) { return [] }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard let name = parts.last, parts.count < 3 else {
            return ["a valid label key \(qualifiedNameMessage.dropFirst("name part ".count)) \(optionalPrefix)"]
        }
        var complaints: [String] = []
        if parts.count == 2 {
            complaints = parts[0].isEmpty ? ["prefix part must be non-empty"] : subdomainComplaints(parts[0]).map { "prefix part \($0)" }
        }
        if name.isEmpty {
            complaints.append("name part must be non-empty")
        } else if name.utf8.count > 63 {
            complaints.append("name part must be no more than 63 bytes")
        }
        if name.isEmpty || !hasValueForm(name) { complaints.append(qualifiedNameMessage) }
        return complaints
    }

    private static let optionalPrefix = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"

    /// An IANA service name, as a port may be called (RFC 6335, 5.1).
    static func portNameComplaints(_ name: String) -> [String] {
        var complaints: [String] = []
        if name.utf8.count > 15 { complaints.append("must be no more than 15 characters") }
        if name.isEmpty || !name.utf8.allSatisfy({ isLower($0) || isDigit($0) || $0 == 0x2D }) {
            complaints.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
        }
        if !name.utf8.contains(where: isLower) { complaints.append("must contain at least one letter (a-z)") }
        if name.contains("--") { complaints.append("must not contain consecutive hyphens") }
        if name.hasPrefix("-") || name.hasSuffix("-") { complaints.append("must not begin or end with a hyphen") }
        return complaints
    }

    /// A key of a ConfigMap or a Secret.
    static func configKeyComplaints(_ key: String) -> [String] {
        var complaints: [String] = []
        if key.utf8.count > 253 { complaints.append("must be no more than 253 characters") }
        let isGood = key.utf8.allSatisfy { byte in
            isLower(byte) || isDigit(byte) || (0x41...0x5A).contains(byte) || [0x2D, 0x2E, 0x5F].contains(byte)
        }
        if key.isEmpty || !isGood { complaints.append(configKeyMessage) }
        if key == "." {
            complaints.append("must not be '.'")
        } else if key == ".." {
            complaints.append("must not be '..'")
        } else if key.hasPrefix("..") {
            complaints.append("must not start with '..'")
        }
        return complaints
    }

    private static let configKeyMessage =
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"

    /// No more than one step of a path.
    static func pathSegmentComplaints(_ name: String) -> [String] {
        if [".", ".."].contains(name) { return ["may not be '\(name)'"] }
        return ["/", "%"].filter(name.contains).map { "may not contain '\($0)'" }
    }

    private static func hasValueForm(_ text: String) -> Bool {
        func edge(_ byte: UInt8?) -> Bool { byte.map { isLower($0) || isDigit($0) || (0x41...0x5A).contains($0) } ?? false }
        return text.isEmpty
            || edge(text.utf8.first) && edge(text.utf8.last) && text.utf8.allSatisfy { edge($0) || $0 == 0x2D || $0 == 0x5F || $0 == 0x2E }
    }

    static func labels(_ json: JSON, _ path: String) -> [StatusError.Cause] {
        json.stringMap.sorted { $0.key < $1.key }.flatMap { key, value in
            each(path, key, qualifiedNameComplaints(key)) + each(path, value, labelValueComplaints(value))
        }
    }

    /// A cause for each complaint about `text`.
    static func each(_ path: String, _ text: String, _ complaints: [String]) -> [StatusError.Cause] {
        complaints.map { .invalid(path, .string(text), $0) }
    }

    private static func isLower(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) }
    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
