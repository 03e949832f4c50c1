import API
import Host
import Model
import Runtime

/// The documents of the files, directories and standard input that a user names.
package enum LabFiles {
    package static func read(_ paths: [String]) throws -> [Manifest] {
        var manifests: [Manifest] = []
        for path in paths {
            if path == "-" {
                var text = ""
                while let line = readLine(strippingNewline: false) { text += line }
                manifests += try Manifest.read(text, file: "standard input")
            } else if Files.isDirectory(path) {
                let names = names(in: path)
                guard !names.isEmpty else { throw UserError("\(path) holds no .yaml, .yml or .json file") }
                for name in names { manifests += try readFile("\(path)/\(name)") }
            } else {
                manifests += try readFile(path)
            }
        }
        return manifests
    }

    private static func names(in directory: String) -> [String] {
        Files.list(directory).filter { name in [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) } }
    }

    static func hasDocuments(_ directory: String) -> Bool { !names(in: directory).isEmpty }

    private static func readFile(_ path: String) throws -> [Manifest] {
        guard Files.exists(path) else { throw UserError("the path \"\(path)\" does not exist") }
        let bytes = try Files.read(path)
        guard let text = String(validating: bytes, as: UTF8.self) else { throw UserError("\(path) is not UTF-8 text") }
        return try Manifest.read(text, file: path)
    }

    /// The Cluster document among `manifests`, and the rest. Without one the cluster is the tutorial's.
    package static func split(_ manifests: [Manifest]) throws -> (cluster: Cluster, hasDocument: Bool, objects: [Manifest]) {
        let documents = manifests.filter { $0.kind == "Cluster" }
        if documents.count > 1 {
            let places = documents.map { "\($0.file):\($0.line)" }.joined(separator: " and ")
            throw UserError("two Cluster documents: \(places)", hint: "one `up` starts one cluster: keep one of them")
        }
        if let lab = manifests.first(where: { $0.kind == LabDocument.kind && $0.apiVersion == Cluster.apiVersion }) {
            throw UserError("\(lab.file):\(lab.line): this is a lab", hint: "start it: minik lab start \(lab.file)")
        }
        let objects = manifests.filter { $0.kind != "Cluster" }
        let document = try documents.first ?? Manifest.read("apiVersion: \(Cluster.apiVersion)\nkind: Cluster\n", file: "defaults")[0]
        let cluster = try Cluster(document)
        // One without a document goes to a cluster that may be there already, which says itself what it serves.
        for object in objects { _ = try object.served(by: documents.isEmpty ? .oldest : cluster.kubernetesVersion) }
        return (cluster, !documents.isEmpty, objects)
    }
}
