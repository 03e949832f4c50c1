import ArgumentParser
import Lab
import Model

struct Label: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Update the labels on a resource.", discussion: "minik label pod busybox access=true; a trailing - removes: access-")
    @OptionGroup var options: ClusterOptions
    @OptionGroup var scope: NamespaceOptions
    @Argument(help: "TYPE NAME or TYPE/NAME, then KEY=VALUE or KEY- ...") var arguments: [String] = []
    @Flag(help: "Allow labels to be overwritten.") var overwrite = false

    func run() async throws {
        let (change, objects) = LabelChange.split(arguments)
        guard !change.isEmpty else { throw UserError("error: at least one label update is required") }
        let client = try options.client()
        for item in try ResourceArguments(objects).items {
            guard let name = item.name else { throw UserError("error: name of the \(item.kind.singular) to label is required") }
            let key = ObjectKey(item.kind.resource.namespaced ? scope.namespace : "", name)
            let old = try await client.get(item.kind.resource, key)["metadata"]["labels"].stringMap
            let new = try await client.patch(item.kind.resource, key, try change.patch(of: old, overwrite: overwrite))
            print("\(item.kind.printedName)/\(name) \(change.outcome(from: old, to: new["metadata"]["labels"].stringMap))")
        }
    }
}
