import API
import ArgumentParser
import Lab
import Model

struct Describe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show details of a specific resource or group of resources.")
    @OptionGroup var options: ClusterOptions
    @OptionGroup var scope: NamespaceOptions
    @Argument(help: "TYPE [NAME ...] or TYPE/NAME ...") var resources: [String] = []
    @Option(name: [.customShort("l"), .long], help: "Selector (label query).") var selector: String?

    func run() async throws {
        let client = try options.client()
        var isFirst = true
        for item in try ResourceArguments(resources).items {
            let namespace = item.kind.resource.namespaced ? scope.namespace : ""
            let objects: [JSON]
            if let name = item.name {
                objects = [try await client.get(item.kind.resource, ObjectKey(namespace, name))]
            } else {
                let chosen = try selector.map { try LabelSelector(parsing: $0) }
                objects = try await client.list(
                    item.kind.resource, namespace: item.kind.resource.namespaced ? namespace : nil, selector: chosen
                ).items
            }
            for object in objects {
                if !isFirst { print("\n") }
                isFirst = false
                for line in try await Description(client: client, now: .now()).lines(object, item.kind) { print(line) }
            }
        }
        if isFirst { printError("No resources found in \(scope.namespace) namespace.") }
    }
}
