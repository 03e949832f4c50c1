import ArgumentParser
import Lab

struct Delete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Delete resources by file names, names or label selector.")
    @OptionGroup var options: ClusterOptions
    @OptionGroup var scope: NamespaceOptions
    @Argument(help: "TYPE NAME ... or TYPE/NAME ...") var resources: [String] = []
    @Option(name: .shortAndLong, help: "Files whose objects are deleted.") var filename: [String] = []
    @Option(name: [.customShort("l"), .long], help: "Selector (label query).") var selector: String?
    @Option(help: "Seconds given to end gracefully.") var gracePeriod: Int?
    @Flag(help: "Delete all objects of the type in the namespace.") var all = false
    @Flag(help: "Immediate deletion: a grace period of one second.") var now = false
    @Flag(help: "With --grace-period=0: do not wait for confirmation.") var force = false
    @Flag(inversion: .prefixedNo, help: "Wait for the objects to be gone.") var wait = true
    @Flag(help: "Nothing to delete is no error.") var ignoreNotFound = false

    func run() async throws {
        let deletion = Deletion(client: try options.client(), namespace: scope.namespace)
        var targets = deletion.targets(in: try LabFiles.read(filename))
        if !resources.isEmpty { targets += try await deletion.targets(ResourceArguments(resources), selector: selector, all: all) }
        guard !targets.isEmpty else {
            if all || selector != nil { return print("No resources found") }
            throw UserError("error: You must provide one or more resources by argument or filename.")
        }
        let how = gracePeriod == 0 && force ? "force deleted" : "deleted"
        let failures = try await deletion.run(
            targets, gracePeriod: now ? 1 : gracePeriod, ignoresNotFound: ignoreNotFound, waits: wait && gracePeriod != 0
        ) { kind, key in
            print("\(kind.printedName) \"\(key.name)\" \(how)\(key.namespace.isEmpty ? "" : " from \(key.namespace) namespace")")
        }
        guard let failure = failures.first else { return }
        for other in failures.dropFirst() { printError("Error: \(other)") }
        throw failure
    }
}
