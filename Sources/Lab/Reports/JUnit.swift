/// Results as continuous integration reads them.
package struct JUnit: Sendable {
    package struct Case: Sendable {
        let name: String
        let failure: String?
        let skipped: String?
        /// Why nothing could be found out.
        let error: String?
        let time: Duration

        package init(_ name: String, failure: String? = nil, skipped: String? = nil, error: String? = nil, time: Duration = .zero) {
            (self.name, self.failure, self.skipped, self.error, self.time) = (name, failure, skipped, error, time)
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
        let errors = cases.filter { $0.error != nil }.count, time = Self.seconds(cases.reduce(.zero) { $0 + $1.time })
        let suite = Self.escape(suite)
        let lines = cases.map { one -> String in
            let open = "<testcase classname=\"\(suite)\" name=\"\(Self.escape(one.name))\" time=\"\(Self.seconds(one.time))\""
            if let words = one.error { return open + "><error message=\"\(Self.escape(words))\"/></testcase>" }
            if let words = one.failure { return open + "><failure message=\"\(Self.escape(words))\"/></testcase>" }
            if let words = one.skipped { return open + "><skipped message=\"\(Self.escape(words))\"/></testcase>" }
            return open + "/>"
        }
        return """
            <testsuite name="\(suite)" tests="\(cases.count)" failures="\(failures)" skipped="\(skipped)" errors="\(errors)" time="\(time)">
            \(lines.joined(separator: "\n"))
            </testsuite>
            """
    }

    private static func seconds(_ time: Duration) -> String {
        let milliseconds = time.components.seconds * 1000 + time.components.attoseconds / 1_000_000_000_000_000
        let rest = String(milliseconds % 1000)
        return "\(milliseconds / 1000).\(String(repeating: "0", count: 3 - rest.count))\(rest)"
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
