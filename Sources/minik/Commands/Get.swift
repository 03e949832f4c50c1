import API
import ArgumentParser
import Lab
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

    func run() async throws {
        let client = try options.client()
        let wanted = try ResourceArguments(resources)
        if let output, !["wide", "yaml", "json", "name"].contains(output) {
            throw UserError(
                "error: unable to match a printer suitable for the output format \"\(output)\", allowed formats are: json,name,wide,yaml")
        }
        if let output, output == "yaml" || output == "json" { return try await printDocuments(client, wanted, output) }
        var printed = 0, isAnything = false
        for item in wanted.items {
            let table = try await client.json("GET", query.path(item), accept: ObjectQuery.tableAccept)
            guard !table["rows"].items.isEmpty else { continue }
            isAnything = true
            if item.kind.resource == NetworkPolicy.resource { try options.warnIfNotEnforced() }
            if output == "name" {
                for name in ObjectTable(table, item.kind).names { print(name) }
                continue
            }
            if printed > 0 { print() }
            printed += 1
            ObjectTable(table, item.kind).text(view(wanted)).print()
            if watch { try await follow(client, item, from: table["metadata"]["resourceVersion"].string ?? "0", wanted) }
        }
        if isAnything { return }
        if watch, let item = wanted.items.first { try await follow(client, item, from: "0", wanted) }
        let isAcross = allNamespaces || !(wanted.items.first?.kind.resource.namespaced ?? true)
        printError(isAcross ? "No resources found" : "No resources found in \(scope.namespace) namespace.")
    }

    private var query: ObjectQuery {
        ObjectQuery(namespace: scope.namespace, allNamespaces: allNamespaces, selector: selector, fieldSelector: fieldSelector)
    }

    private func view(_ wanted: ResourceArguments) -> ObjectTable.View {
        var view = ObjectTable.View()
        view.isWide = output == "wide"
        view.showsNamespaces = allNamespaces
        view.showsLabels = showLabels
        view.showsHeader = !noHeaders
        view.showsKinds = wanted.isMixed
        return view
    }

    private func follow(_ client: HTTPClient, _ item: ResourceArguments.Item, from revision: String, _ wanted: ResourceArguments)
        async throws
    {
        var view = view(wanted)
        view.showsHeader = false
        let pieces = try await client.stream("GET", query.watchPath(item, from: revision), accept: ObjectQuery.tableAccept)
        // The first table names the columns for all.
        var columns = JSON.null
        for try await event in HTTPClient.events(pieces) {
            var table = event.object
            if table["columnDefinitions"].isNull { table["columnDefinitions"] = columns } else { columns = table["columnDefinitions"] }
            ObjectTable(table, item.kind).text(view).print()
        }
    }

    private func printDocuments(_ client: HTTPClient, _ wanted: ResourceArguments, _ format: String) async throws {
        var items: [JSON] = []
        let isSingle = wanted.items.count == 1 && wanted.items[0].name != nil
        for item in wanted.items {
            let answer = try await client.json("GET", query.path(item))
            if item.name == nil { items += HTTPClient.items(of: answer) } else { items.append(answer) }
        }
        let document: JSON =
            isSingle ? items[0] : ["apiVersion": "v1", "items": .array(items), "kind": "List", "metadata": ["resourceVersion": ""]]
        if format == "json" { print(document.text(indented: true)) } else { print(YAMLText.of(document), terminator: "") }
    }
}
