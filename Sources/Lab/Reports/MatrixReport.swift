import Model
import Proxy

/// A matrix for people and for machines.
package struct MatrixReport {
    package enum Format: String { case text, json, junit, html }

    let matrix: ReachMatrix

    package init(matrix: ReachMatrix) { self.matrix = matrix }

    package func text(_ format: Format) -> String {
        switch format {
        case .text: plain
        case .json: json.text(indented: true) + "\n"
        case .junit: junit
        case .html: html
        }
    }

    private func cells(of probe: ReachMatrix.Probe) -> [[ReachMatrix.Cell]] {
        let all = matrix.cells.filter { $0.probe == probe }
        return matrix.sources.indices.map { row in all.filter { $0.from == row }.sorted { $0.to < $1.to } }
    }

    /// The places of those that are asked; who has no address of the probe's family asks nobody.
    private func targets(of probe: ReachMatrix.Probe) -> [Int] { cells(of: probe).first { !$0.isEmpty }?.map(\.to) ?? [] }

    private static func mark(_ cell: ReachMatrix.Cell) -> String {
        if let measured = cell.measured, cell.differs { return measured ? "!." : "!X" }
        return cell.isAllowed ? "." : "X"
    }

    // MARK: Text

    private var plain: String {
        var lines: [String] = []
        let width = (matrix.sources.map(\.name.count).max() ?? 0) + 4
        for probe in matrix.probes {
            let numbers = targets(of: probe).map { Self.pad("\($0 + 1)", 3) }.joined()
            lines.append("\(Self.pad(probe.description, width + 3))\(numbers)")
            for (row, cells) in cells(of: probe).enumerated() {
                let number = matrix.sources[row].pod == nil ? "" : "\(row + 1)"
                lines.append(
                    "\(Self.pad(number, 3))\(Self.pad(matrix.sources[row].name, width))\(cells.map { Self.pad(Self.mark($0), 3) }.joined())"
                        .trimmedEnd)
            }
            lines.append("")
        }
        // Rows tell the pods' numbers.
        let fronts = matrix.targets.enumerated().filter { $0.element.pod == nil }
        if !fronts.isEmpty { lines += fronts.map { "\(Self.pad("\($0.offset + 1)", 3))\($0.element.name)" } + [""] }
        let measured = matrix.cells.contains { $0.measured != nil }
        lines.append("rows reach columns: . allowed, X denied\(measured ? ", !. and !X measured, against what was computed" : "")")
        let denied = matrix.cells.filter { !$0.isAllowed }.count
        lines.append(
            "\(matrix.cells.count) flows, \(matrix.cells.count - denied) allowed, \(denied) denied\(measured ? ", measured with real packets" : "")"
        )
        let different = matrix.cells.filter(\.differs)
        if !different.isEmpty {
            lines.append("DIFFERENT: \(different.count) flows are not what was computed:")
            lines += different.map {
                "  \(flow($0)): computed \($0.isAllowed ? "allowed" : "denied"), measured \($0.measured == true ? "allowed" : "denied")"
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func flow(_ cell: ReachMatrix.Cell) -> String {
        "\(matrix.sources[cell.from].name) -> \(matrix.targets[cell.to].name) \(cell.probe)"
    }

    private static func pad(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }

    // MARK: For machines

    private var json: JSON {
        [
            "apiVersion": "minik.dev/v1", "kind": "ReachMatrix",
            "flows": .array(
                matrix.cells.map { cell in
                    [
                        "from": .string(matrix.sources[cell.from].name), "to": .string(matrix.targets[cell.to].name),
                        "probe": .string(cell.probe.description),
                        "allowed": .bool(cell.isAllowed), "measured": cell.measured.map(JSON.bool) ?? .null,
                        "ttl": JSON(cell.hops), "reason": JSON(cell.reason),
                    ]
                }),
        ]
    }

    /// One test case a flow: it fails where the measured differs from the computed.
    private var junit: String {
        let cases = matrix.cells.map { cell -> String in
            let open =
                "  <testcase classname=\"\(cell.probe)\" name=\"\(Self.escape("\(matrix.sources[cell.from].name) to \(matrix.targets[cell.to].name)"))\""
            guard cell.differs else { return open + "/>" }
            return open
                + "><failure message=\"computed \(cell.isAllowed ? "allowed" : "denied"), measured \(cell.measured == true ? "allowed" : "denied")\"/></testcase>"
        }
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuite name="minik matrix" tests="\(matrix.cells.count)" failures="\(matrix.cells.filter(\.differs).count)">
            \(cases.joined(separator: "\n"))
            </testsuite>

            """
    }

    private var html: String {
        let tables = matrix.probes.map { probe -> String in
            let head = targets(of: probe).map { "<th><span>\(Self.escape(matrix.targets[$0].name))</span></th>" }.joined()
            let rows = cells(of: probe).enumerated().map { row, cells in
                let data = cells.map { cell in
                    let kind = cell.differs ? "different" : cell.isAllowed ? "allowed" : "denied"
                    return
                        "<td class=\"\(kind)\" title=\"\(Self.escape(flow(cell) + (cell.reason.map { ": \($0)" } ?? "")))\">\(Self.mark(cell))</td>"
                }
                return "<tr><th>\(Self.escape(matrix.sources[row].name))</th>\(data.joined())</tr>"
            }
            return "<h2>\(probe)</h2><table><tr><th>from \\ to</th>\(head)</tr>\n\(rows.joined(separator: "\n"))</table>"
        }
        return """
            <!doctype html><meta charset="utf-8"><title>minik matrix</title>
            <style>body{font:14px sans-serif}td{width:2em;text-align:center}.allowed{background:#cfc}.denied{background:#fcc}.different{background:#fc0;font-weight:bold}
            th{text-align:left;font-weight:normal}th span{writing-mode:vertical-rl}</style>
            \(tables.joined(separator: "\n"))

            """
    }

    private static func escape(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;").replacing("\"", with: "&quot;")
    }
}

extension String {
    fileprivate var trimmedEnd: String {
        var text = Substring(self)
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
