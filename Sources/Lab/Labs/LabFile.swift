import API
import Host
import Model

/// A lab's file, or the folder that holds it: the `Lab` document, the cluster that it wants, and the objects that are there at the start.
package struct LabFile: Sendable {
    package let path: String
    package let lab: LabDocument
    package let cluster: Cluster
    package let objects: [Manifest]
    /// The folder is Killercoda's.
    package let scenario: Scenario?

    /// The cluster of a lab that brings no document of its own.
    package static let clusterName = "lab"

    package init(_ path: String) throws {
        if Scenario.isOne(path) {
            try self.init(Scenario(path))
            return
        }
        // What other files lie in a lab's folder is for the learner.
        let file = Files.isDirectory(path) ? "\(path)/lab.yaml" : path
        guard Files.exists(file) else {
            throw UserError(
                "there is no lab \(path)",
                hint: file == path ? "see: minik lab list" : "a lab's folder holds a lab.yaml, a scenario's an index.json")
        }
        try self.init(try LabFiles.read([file]), path: file)
    }

    private init(_ scenario: Scenario) throws {
        path = "\(scenario.folder)/\(Scenario.index)"
        (lab, cluster, objects, self.scenario) = (scenario.lab(), try scenario.cluster(), try scenario.objects(), scenario)
    }

    package init(_ manifests: [Manifest], path: String) throws {
        let documents = manifests.filter { $0.kind == LabDocument.kind && $0.apiVersion == Cluster.apiVersion }
        guard let document = documents.first else {
            throw UserError("\(path) holds no Lab document", hint: "how one is written: docs/labs.md")
        }
        if documents.count > 1 {
            throw ManifestError(file: documents[1].file, line: documents[1].line, message: "a second Lab document: a file holds one")
        }
        let parts = try LabFiles.split(manifests.filter { $0.kind != LabDocument.kind })
        lab = try LabDocument(document, in: parts.cluster)
        var cluster = parts.cluster
        if !parts.hasDocument { cluster.name = Self.clusterName }
        (self.path, self.cluster, objects, scenario) = (path, cluster, parts.objects, nil)
    }

    /// The same file, said in other words.
    init(_ file: LabFile, _ lab: LabDocument, _ cluster: Cluster, _ objects: [Manifest]) {
        (path, scenario) = (file.path, file.scenario)
        (self.lab, self.cluster, self.objects) = (lab, cluster, objects)
    }

    package var folder: String { path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "." }
}
