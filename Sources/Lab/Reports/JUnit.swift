/// Results as continuous integration reads them.
package struct JUnit: Sendable {
    package struct Case: Sendable {
        let name: String
        let failure: String?
        let skipped: String?

        package init(_ name: String, failure: String? = nil, skipped: String? = nil) {
            (self.name, self.failure, self.skipped) = (name, failure, skipped)
        }
    }

    private let suite: String
    private let cases: [Case]

    package init(suite: String, cases: [Case]) { (self.suite, self.cases) = (suite, cases) }

    package var text: String { Self.text([self]) }

    package static func text(_ suites: [JUnit]) -> String {
        """
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites>
        \(suites.map(\.element).joined(separator: "\n"))
        </testsuites>

        """
    }

    private var element: String {
        let failures = cases.filter { $0.failure != nil }.count, skipped = cases.filter { $0.skipped != nil }.count
        let suite = Self.escape(suite)
        let lines = cases.map { one -> String in
            let open = "<testcase classname=\"\(suite)\" name=\"\(Self.escape(one.name))\""
            if let words = one.failure { return open + "><failure message=\"\(Self.escape(words))\"/></testcase>" }
            if let words = one.skipped { return open + "><skipped message=\"\(Self.escape(words))\"/></testcase>" }
            return open + "/>"
        }
        return """
            <testsuite name="\(suite)" tests="\(cases.count)" failures="\(failures)" skipped="\(skipped)">
            \(lines.joined(separator: "\n"))
            </testsuite>
            """
    }

    /// What XML cannot hold at all, control characters, is left out.
    private static func escape(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\n": result += "&#10;"
            case _ where scalar.value < 32: break
            default: result.unicodeScalars.append(scalar)
            }
        }
    }
}
