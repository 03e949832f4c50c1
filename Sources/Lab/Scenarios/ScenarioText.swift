/// A page's Markdown with Killercoda's marks: what is to be run or copied by a click, and where a port is found from outside.
package struct ScenarioText: Sendable {
    /// As it is shown where nothing can be clicked: `⏎` follows what is to be run.
    package private(set) var plain = ""
    /// What a click would run, in order.
    package private(set) var commands: [String] = []

    private let image: Scenario.Image

    package init(_ markdown: String, _ image: Scenario.Image) {
        self.image = image
        var fence: (lines: [String], marker: String)?, lines: [String] = []
        for line in markdown.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            let start = String(line.drop { $0 == " " || $0 == "\t" })
            if let open = fence {
                guard let mark = Self.closing(start, open.marker) else {
                    fence?.lines.append(line)
                    continue
                }
                fence = nil
                lines += open.lines + [open.marker + Self.sign(mark)]
                if Self.isRun(mark) { commands.append(open.lines.dropFirst().joined(separator: "\n")) }
            } else if let marker = ["```", "~~~"].first(where: start.hasPrefix), !start.dropFirst(3).contains("`") {
                fence = ([line], marker)
            } else {
                lines.append(inline(line))
            }
        }
        // A fence that nobody closed goes to the end.
        if let fence { lines += fence.lines }
        plain = addresses(lines.joined(separator: "\n"))
        commands = commands.map(addresses)
    }

    /// What stands in the braces behind a fence's end, empty without braces; nil when it is no end.
    private static func closing(_ line: String, _ marker: String) -> String? {
        guard line.hasPrefix(marker) else { return nil }
        let rest = line.drop { $0 == marker.first }.trimmingSpaces
        if rest.isEmpty { return "" }
        return rest.wholeMatch(of: /\{\{([^}]*)\}\}.*/).map { String($0.1) }
    }

    private mutating func inline(_ line: String) -> String {
        var found: [String] = []
        let text = line.replacing(/`([^`]+)`\{\{([^}]*)\}\}/) { match in
            if Self.isRun(String(match.2)) { found.append(String(match.1)) }
            return "`\(match.1)`" + Self.sign(String(match.2))
        }
        commands += found
        // HTML that lays a page out says nothing in a terminal.
        return text.replacing(/<\/?(br|details|summary|p|center)\b[^>]*>/, with: "")
    }

    private static func isRun(_ mark: String) -> Bool { mark.hasPrefix("exec") }
    private static func sign(_ mark: String) -> String { isRun(mark) ? " ⏎" : "" }

    /// A port of a machine is reached from outside at its address.
    private func addresses(_ text: String) -> String {
        let machines = image.machines
        return text.replacing(/\{\{TRAFFIC_HOST(\d+)_(\d+)\}\}/) { match in
            guard let number = Int(match.1), (1...machines.count).contains(number) else { return String(match.0) }
            return "http://\(machines[number - 1].address):\(match.2)"
        }.replacing("{{TRAFFIC_SELECTOR}}", with: "http://\(machines[0].address):PORT")
    }
}

extension Substring {
    fileprivate var trimmingSpaces: Substring {
        var rest = self.drop { $0 == " " || $0 == "\t" || $0 == "\r" }
        while let last = rest.last, last == " " || last == "\t" || last == "\r" { rest.removeLast() }
        return rest
    }
}
