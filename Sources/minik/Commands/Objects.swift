import API
import ArgumentParser
import Model
import Proxy

struct Apply: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Apply a configuration to resources by file name or stdin.")
    @OptionGroup var options: ClusterOptions
    @OptionGroup var scope: NamespaceOptions
    @Option(name: .shortAndLong, help: "Files or directories; - is standard input.") var filename: [String]
    @Flag(help: "Apply nothing; show which flows the NetworkPolicies among the files would open and close.") var diffReachability = false

    func run() async throws {
        let client = try options.client()
        var manifests = try LabFiles.read(filename)
        if manifests.contains(where: { $0.kind == "Cluster" }) {
            _ = try LabFiles.split(manifests)
            manifests.removeAll { $0.kind == "Cluster" }
        }
        guard !manifests.isEmpty else { throw UserError("error: no objects passed to apply") }
        if diffReachability {
            let now = try await ClusterSnapshot(cluster: try options.clusterDocument(), client: client)
            let changes = try await ReachChanges(from: now, adding: manifests)
            return print(changes.text(.text), terminator: "")
        }
        if manifests.contains(where: { $0.kind == NetworkPolicy.resource.kind }) { try options.warnIfNotEnforced() }
        for manifest in manifests {
            let result = try await Applier(client: client, defaultNamespace: scope.namespace).apply(manifest)
            print("\(result.kind.printedName)/\(result.key.name) \(result.outcome.rawValue)")
        }
    }
}

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
        let client = try options.client()
        var targets: [(KindDefinition, ObjectKey)] = []
        for manifest in try LabFiles.read(filename) {
            guard let kind = Registry.kind(apiVersion: manifest.apiVersion, kind: manifest.kind) else { continue }
            let namespace = manifest.json["metadata"]["namespace"].string ?? scope.namespace
            targets.append((kind, ObjectKey(kind.resource.namespaced ? namespace : "", manifest.json["metadata"]["name"].string ?? "")))
        }
        if !resources.isEmpty {
            for item in try ResourceArguments(resources).items {
                let namespace = item.kind.resource.namespaced ? scope.namespace : ""
                if let name = item.name {
                    targets.append((item.kind, ObjectKey(namespace, name)))
                    continue
                }
                guard all || selector != nil else { throw UserError("error: resource(s) were provided, but no name was specified") }
                let chosen = try selector.map { try LabelSelector(parsing: $0) }
                for object in try await client.list(item.kind.resource, namespace: scope.namespace, selector: chosen).items {
                    targets.append((item.kind, ObjectKey(namespace, object["metadata"]["name"].string ?? "")))
                }
            }
        }
        guard !targets.isEmpty else {
            if all || selector != nil { return print("No resources found") }
            throw UserError("error: You must provide one or more resources by argument or filename.")
        }
        var failures: [any Error] = []
        for (kind, key) in targets {
            do {
                try await client.delete(kind.resource, key, gracePeriod: now ? 1 : gracePeriod, uid: nil)
                print(
                    "\(kind.printedName) \"\(key.name)\" \(gracePeriod == 0 && force ? "force deleted" : "deleted")\(key.namespace.isEmpty ? "" : " from \(key.namespace) namespace")"
                )
            } catch let error as StatusError where error.reason == .notFound && ignoreNotFound {} catch { failures.append(error) }
        }
        if wait, gracePeriod != 0 { for (kind, key) in targets { try await Self.awaitGone(client, kind.resource, key) } }
        if let failure = failures.first {
            for other in failures.dropFirst() { printError("Error: \(other)") }
            throw failure
        }
    }

    static func awaitGone(_ client: HTTPClient, _ resource: Resource, _ key: ObjectKey) async throws {
        let events = try await client.watch(resource, namespace: resource.namespaced ? key.namespace : nil, from: nil)
        // The watch is open: what is gone now was, or will be, told.
        guard (try? await client.get(resource, key)) != nil else { return }
        for try await event in events where event.kind == .deleted && event.object["metadata"]["name"].string == key.name { return }
    }
}

struct Label: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Update the labels on a resource.", discussion: "minik label pod busybox access=true; a trailing - removes: access-")
    @OptionGroup var options: ClusterOptions
    @OptionGroup var scope: NamespaceOptions
    @Argument(help: "TYPE NAME or TYPE/NAME, then KEY=VALUE or KEY- ...") var arguments: [String] = []
    @Flag(help: "Allow labels to be overwritten.") var overwrite = false

    func run() async throws {
        let isChange = { (text: String) in text.contains("=") || text.hasSuffix("-") }
        let changes = arguments.filter(isChange)
        guard !changes.isEmpty else { throw UserError("error: at least one label update is required") }
        let client = try options.client()
        for item in try ResourceArguments(arguments.filter { !isChange($0) }).items {
            guard let name = item.name else { throw UserError("error: name of the \(item.kind.singular) to label is required") }
            let key = ObjectKey(item.kind.resource.namespaced ? scope.namespace : "", name)
            let old = try await client.get(item.kind.resource, key)["metadata"]["labels"].stringMap
            var labels = JSONObject()
            for change in changes {
                if change.hasSuffix("-") {
                    labels[String(change.dropLast())] = .null
                    continue
                }
                let sides = change.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                if let value = old[sides[0]], value != sides[1], !overwrite {
                    throw UserError("error: '\(sides[0])' already has a value (\(value)), and --overwrite is false")
                }
                labels[sides[0]] = .string(sides[1])
            }
            let new = try await client.patch(item.kind.resource, key, .object(Self.nested("metadata", Self.nested("labels", labels))))
            let isSame = new["metadata"]["labels"].stringMap == old
            let removed = changes.allSatisfy { $0.hasSuffix("-") }
            print("\(item.kind.printedName)/\(name) \(isSame ? "not labeled" : removed ? "unlabeled" : "labeled")")
        }
    }

    /// `{key: object}`, nulls kept: they are what removes.
    private static func nested(_ key: String, _ object: JSONObject) -> JSONObject {
        var outer = JSONObject()
        outer[key] = .object(object)
        return outer
    }
}

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

struct Logs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print the logs of a container in a pod.")
    @OptionGroup var options: ClusterOptions
    @OptionGroup var scope: NamespaceOptions
    @Argument(help: "A pod, or deployment/NAME for one of its pods.") var pod: String
    @Option(name: .long, help: "The container; needed only when there are several.") var container: String?
    @Flag(name: .shortAndLong, help: "Go on as the log grows.") var follow = false
    @Flag(name: .shortAndLong, help: "The log of the container's last life.") var previous = false
    @Flag(help: "Each line with its time.") var timestamps = false
    @Option(help: "Lines from the end; -1 for all.") var tail: Int = -1

    func run() async throws {
        let client = try options.client()
        let key = try await PodName(pod, namespace: scope.namespace, client).resolve()
        var query = ["follow=\(follow)", "previous=\(previous)", "timestamps=\(timestamps)"]
        if let container { query.append("container=\(URL.encode(container))") }
        if tail >= 0 { query.append("tailLines=\(tail)") }
        let path = Resource.pods.path(namespace: key.namespace, name: key.name, subresource: "log")
        for try await piece in try await client.stream("GET", "\(path)?\(query.joined(separator: "&"))") { Output.write(piece) }
    }
}

/// A pod by name, or one of a deployment's or replica set's.
struct PodName {
    private let text: String
    private let namespace: String
    private let client: any Client

    init(_ text: String, namespace: String, _ client: any Client) {
        self.text = text
        self.namespace = namespace
        self.client = client
    }

    func resolve() async throws -> ObjectKey {
        let sides = text.split(separator: "/", maxSplits: 1).map(String.init)
        guard sides.count == 2 else { return ObjectKey(namespace, text) }
        let kind = try ResourceArguments.kind(sides[0])
        if kind.resource == .pods { return ObjectKey(namespace, sides[1]) }
        let object = try await client.get(kind.resource, ObjectKey(namespace, sides[1]))
        let selector =
            kind.resource == .services
            ? LabelSelector(matching: object["spec"]["selector"].stringMap) : LabelSelector(object["spec"]["selector"])
        let pods = try await client.list(Pod.self, namespace: namespace, selector: selector).filter(\.isActive)
        guard let pod = pods.first(where: \.isReady) ?? pods.first else { throw UserError("error: \(text) has no running pod") }
        return pod.key
    }
}
