import ArgumentParser
import Lab
import Model

struct Scale: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Set a new size for a deployment or replica set.")
    @OptionGroup var options: ClusterOptions
    @OptionGroup var scope: NamespaceOptions
    @Argument(help: "TYPE NAME or TYPE/NAME") var resources: [String]
    @Option(help: "The new desired number of replicas.") var replicas: Int

    func run() async throws {
        let client = try options.client()
        guard replicas >= 0 else {
            throw UserError("error: The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0")
        }
        for item in try ResourceArguments(resources).items {
            guard [.deployments, .replicaSets].contains(item.kind.resource), let name = item.name else {
                throw UserError("error: cannot scale a \(item.kind.singular)", hint: "minik scale deployment NAME --replicas=3")
            }
            _ = try await client.patch(item.kind.resource, ObjectKey(scope.namespace, name), ["spec": ["replicas": .int(replicas)]])
            print("\(item.kind.printedName)/\(name) scaled")
        }
    }
}
