import API
import Host
import Model
import Store

/// Reads documents as a cluster would, in one that exists in memory alone.
package struct Validation {
    package struct Outcome: Sendable {
        /// What is well, a line each.
        package var lines: [String] = []
        package var complaints: [String] = []
    }

    private let files: [String]

    package init(_ files: [String]) { self.files = files }

    package func run() async throws -> Outcome {
        var outcome = Outcome()
        var manifests: [Manifest] = []
        let scenarios = files.filter(Scenario.isOne)
        for folder in scenarios { validate(scenario: folder, &outcome) }
        for file in files.filter({ !scenarios.contains($0) }).flatMap(Self.withLabs) {
            do { manifests += try LabFiles.read([file]) } catch let error as ManifestError { outcome.complaints.append("\(error)") }
        }
        guard !manifests.isEmpty || !scenarios.isEmpty || !outcome.complaints.isEmpty else {
            throw UserError("there is no document in \(files.joined(separator: ", "))")
        }
        // Each file is a whole: `up` takes several together, and a lab's file has a cluster of its own.
        for (_, own) in Dictionary(grouping: manifests, by: \.file).sorted(by: { $0.key < $1.key }) { try await validate(own, &outcome) }
        return outcome
    }

    private func validate(scenario path: String, _ outcome: inout Outcome) {
        do {
            let file = try LabFile(path)
            guard let scenario = file.scenario else { return }
            outcome.lines.append(
                "\(file.path): Scenario \(scenario.name): \(scenario.steps.count) steps, \(scenario.image.nodes) nodes (\(scenario.image.id))"
            )
            let needs = ScenarioNeeds(scenario)
            outcome.lines += needs.lines.map { "\(file.path): \($0)" }
            outcome.complaints += try needs.unreadable()
        } catch { outcome.complaints.append("\(error)") }
    }

    /// A directory of labs has each in a folder of its own, beside files that are none of the lab's documents.
    private static func withLabs(_ path: String) -> [String] {
        guard Files.isDirectory(path) else { return [path] }
        let labs = Files.directories(in: path).sorted().map { "\(path)/\($0)/lab.yaml" }.filter(Files.exists)
        return labs.isEmpty || LabFiles.hasDocuments(path) ? [path] + labs : labs
    }

    private func validate(_ manifests: [Manifest], _ outcome: inout Outcome) async throws {
        var cluster: Cluster?, hasLab = false
        let own = manifests.filter { $0.apiVersion == Cluster.apiVersion }
        // What a lab says of nodes is held against the cluster that stands beside it.
        for manifest in own.filter({ $0.kind != LabDocument.kind }) + own.filter({ $0.kind == LabDocument.kind }) {
            do {
                switch manifest.kind {
                case LabDocument.kind:
                    if hasLab { throw fail(manifest, "a second Lab document: a file holds one") }
                    hasLab = true
                    let lab = try LabDocument(manifest, in: try cluster ?? Self.standard())
                    outcome.lines.append("\(manifest.file):\(manifest.line): Lab \(lab.name): \(lab.tasks.count) tasks")
                case "Cluster":
                    if cluster != nil { throw fail(manifest, "a second Cluster document: one `up` starts one cluster") }
                    let read = try Cluster(manifest)
                    cluster = read
                    outcome.lines.append("\(manifest.file):\(manifest.line): Cluster \(read.name): \(read.nodes.count) nodes")
                default: throw fail(manifest, "kind: \"\(manifest.kind)\" is none of Cluster, Lab")
                }
            } catch { outcome.complaints.append("\(error)") }
        }
        // An object is validated in the cluster that stands beside it.
        await validate(manifests.filter { $0.apiVersion != Cluster.apiVersion }, in: try cluster ?? Self.standard(), &outcome)
    }

    /// Objects alone, in a cluster that is like this one and empty.
    package static func outcome(of objects: [Manifest], in cluster: Cluster) async throws -> Outcome {
        var outcome = Outcome()
        await Validation([]).validate(objects, in: cluster, &outcome)
        return outcome
    }

    private func fail(_ manifest: Manifest, _ message: String) -> ManifestError {
        ManifestError(file: manifest.file, line: manifest.line(of: "kind"), message: message)
    }

    private static func standard() throws -> Cluster {
        try Cluster(Manifest.read("apiVersion: \(Cluster.apiVersion)\nkind: Cluster\n", file: "defaults")[0])
    }

    private func validate(_ manifests: [Manifest], in cluster: Cluster, _ outcome: inout Outcome) async {
        do {
            let api = APIServer(store: try ObjectStore(), cluster: cluster)
            for name in ["default", "kube-system", "kube-public"] {
                _ = try await api.create(.namespaces, ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(name)]])
                try await api.furnish(name)
            }
            for manifest in manifests {
                do {
                    let result = try await Applier(client: api, defaultNamespace: "default").apply(manifest)
                    outcome.lines.append("\(manifest.file):\(manifest.line): \(result.kind.printedName)/\(result.key.name)")
                } catch { outcome.complaints.append("\(error)") }
            }
        } catch { outcome.complaints.append("the documents cannot be validated: \(error)") }
    }
}
