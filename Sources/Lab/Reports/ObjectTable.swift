import API
import Model

/// The Table that the API makes of a list (meta.k8s.io/v1), as `kubectl get` prints it.
package struct ObjectTable {
    /// What the user wants to see of it.
    package struct View {
        package var isWide = false
        package var showsNamespaces = false
        package var showsLabels = false
        package var showsHeader = true
        /// Names come with their kind: several kinds were asked for.
        package var showsKinds = false

        package init() {}
    }

    private let table: JSON
    private let kind: KindDefinition

    package init(_ table: JSON, _ kind: KindDefinition) {
        self.table = table
        self.kind = kind
    }

    package func text(_ view: View) -> TextTable {
        let columns = table["columnDefinitions"].items.enumerated().filter { view.isWide || $0.element["priority"].int == 0 }
        let showsNamespace = view.showsNamespaces && kind.resource.namespaced
        var head = columns.map { ($0.element["name"].string ?? "").uppercased() }
        if showsNamespace { head.insert("NAMESPACE", at: 0) }
        if view.showsLabels { head.append("LABELS") }
        let rows = table["rows"].items.map { row -> [String] in
            let metadata = row["object"]["metadata"]
            var cells = columns.map { Self.text(row["cells"][$0.offset]) }
            if view.showsKinds, !cells.isEmpty, kind.columns.first?.name == "Name" { cells[0] = "\(kind.printedName)/\(cells[0])" }
            if showsNamespace { cells.insert(metadata["namespace"].string ?? "", at: 0) }
            if view.showsLabels {
                let labels = metadata["labels"].stringMap.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
                cells.append(labels.isEmpty ? "<none>" : labels.joined(separator: ","))
            }
            return cells
        }
        return TextTable(header: view.showsHeader ? head : [], rows: rows)
    }

    /// `deployment.apps/web` of each.
    package var names: [String] { table["rows"].items.map { "\(kind.printedName)/\($0["object"]["metadata"]["name"].string ?? "")" } }

    private static func text(_ cell: JSON) -> String { cell.isNull ? "" : cell.string ?? cell.text() }
}
