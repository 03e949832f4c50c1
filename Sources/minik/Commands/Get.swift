import API
import ArgumentParser
import Model

struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Display one or many resources.")
    @OptionGroup var options: ClusterOptions
    @OptionGroup var scope: NamespaceOptions
    @Argument(help: "TYPE [NAME ...] or TYPE/NAME ...") var resources: [String] = []
    @Option(name: .shortAndLong, help: "wide, yaml, json or name.") var output: String?
    @Option(name: [.customShort("l"), .long], help: "Selector (label query), such as app=web,tier!=db.") var selector: String?
    @Option(help: "Selector (field query), such as status.phase=Running.") var fieldSelector: String?
    @Flag(name: [.customShort("A"), .long], help: "The objects of all namespaces.") var allNamespaces = false
    @Flag(name: .shortAndLong, help: "After listing, watch for changes.") var watch = false
    @Flag(help: "Print no header.") var noHeaders = false
    @Flag(help: "Show all labels as the last column.") var showLabels = false

    private static let tableAccept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

    func run() async throws {
        let client = try options.client()
        let wanted = try ResourceArguments(resources)
        if let output, !["wide", "yaml", "json", "name"].contains(output) {
            throw UserError(
                "error: unable to match a printer suitable for the output format \"\(output)\", allowed formats are: json,name,wide,yaml")
        }
        if let output, output == "yaml" || output == "json" { return try await printDocuments(client, wanted, output) }
        var isFirst = true, isAnything = false
        for item in wanted.items {
            let table = try await client.json("GET", path(item), accept: Self.tableAccept)
            let rows = table["rows"].items
            if item.name == nil, rows.isEmpty, wanted.items.count > 1 { continue }
            isAnything = isAnything || !rows.isEmpty
            if item.kind.resource == NetworkPolicy.resource, !rows.isEmpty { try options.warnIfNotEnforced() }
            if output == "name" {
                for row in rows { print("\(item.kind.printedName)/\(row["object"]["metadata"]["name"].string ?? "")") }
                continue
            }
            if rows.isEmpty { continue }
            if !isFirst { print() }
            isFirst = false
            show(table, item.kind, prefix: wanted.isMixed, header: !noHeaders)
            if watch { try await follow(client, item, from: table["metadata"]["resourceVersion"].string ?? "0", wanted.isMixed) }
        }
        if !isAnything {
            if watch, let item = wanted.items.first { try await follow(client, item, from: "0", wanted.isMixed) }
            printError(
                allNamespaces || !(wanted.items.first?.kind.resource.namespaced ?? true)
                    ? "No resources found" : "No resources found in \(scope.namespace) namespace.")
        }
    }

    private func path(_ item: ResourceArguments.Item) -> String {
        let namespace = allNamespaces && item.name == nil ? nil : scope.namespace
        var query: [String] = []
        if item.name == nil {
            if let selector { query.append("labelSelector=\(URL.encode(selector))") }
            if let fieldSelector { query.append("fieldSelector=\(URL.encode(fieldSelector))") }
        }
        return item.kind.resource.path(namespace: namespace, name: item.name) + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
    }

    private func show(_ table: JSON, _ kind: KindDefinition, prefix: Bool, header: Bool) {
        let isWide = output == "wide"
        let columns = table["columnDefinitions"].items.enumerated().filter { isWide || $0.element["priority"].int == 0 }
        let showsNamespace = allNamespaces && kind.resource.namespaced
        var head = columns.map { ($0.element["name"].string ?? "").uppercased() }
        if showsNamespace { head.insert("NAMESPACE", at: 0) }
        if showLabels { head.append("LABELS") }
        let rows = table["rows"].items.map { row -> [String] in
            let metadata = row["object"]["metadata"]
            var cells = columns.map { Self.text(row["cells"][$0.offset]) }
            if prefix, !cells.isEmpty, kind.columns.first?.name == "Name" { cells[0] = "\(kind.printedName)/\(cells[0])" }
            if showsNamespace { cells.insert(metadata["namespace"].string ?? "", at: 0) }
            if showLabels {
                let labels = metadata["labels"].stringMap.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
                cells.append(labels.isEmpty ? "<none>" : labels.joined(separator: ","))
            }
            return cells
        }
        TextTable(header: header ? head : [], rows: rows).print()
    }

    private static func text(_ cell: JSON) -> String { cell.isNull ? "" : cell.string ?? cell.text() }

    private func follow(_ client: HTTPClient, _ item: ResourceArguments.Item, from revision: String, _ isMixed: Bool) async throws {
        var target = item.kind.resource.path(namespace: allNamespaces ? nil : scope.namespace) + "?watch=true&resourceVersion=\(revision)"
        if let selector { target += "&labelSelector=\(URL.encode(selector))" }
        if let name = item.name { target += "&fieldSelector=\(URL.encode("metadata.name=\(name)"))" }
        for try await event in HTTPClient.events(try await client.stream("GET", target, accept: Self.tableAccept)) {
            show(event.object, item.kind, prefix: isMixed, header: false)
        }
    }

    private func printDocuments(_ client: HTTPClient, _ wanted: ResourceArguments, _ format: String) async throws {
        var items: [JSON] = []
        let isSingle = wanted.items.count == 1 && wanted.items[0].name != nil
        for item in wanted.items {
            let answer = try await client.json("GET", path(item))
            if item.name == nil { items += answer["items"].items } else { items.append(answer) }
        }
        let document: JSON =
            isSingle ? items[0] : ["apiVersion": "v1", "items": .array(items), "kind": "List", "metadata": ["resourceVersion": ""]]
        if format == "json" { print(document.text(indented: true)) } else { print(YAMLText.of(document), terminator: "") }
    }
}
