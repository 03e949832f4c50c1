import API
import Host
import Model
import YAML

/// A kubeconfig of the user's, whatever it leads to.
package struct UserKubeconfig {
    private let file: String
    private let config: JSON

    package init(_ file: String) throws {
        self.file = file
        let text = String(decoding: try Files.read(file), as: UTF8.self)
        config = try YAMLReader.documents(text, file: file, keepsLines: false).first?.json ?? .null
    }

    /// A kubeconfig of one context alone, whose commands are about another namespace. Files that it names are named whole.
    package func document(_ context: String?, namespace: String) -> JSON {
        let name = JSON.string(context ?? config["current-context"].string ?? "")
        var entry = config["contexts"].items.first { $0["name"] == name } ?? .null
        entry["context"]["namespace"] = .string(namespace)
        let places = [
            ("clusters", "cluster", ["certificate-authority"]), ("users", "user", ["client-certificate", "client-key", "tokenFile"]),
        ]
        var own: JSON = ["apiVersion": "v1", "kind": "Config", "current-context": name, "contexts": [entry]]
        for (list, field, paths) in places {
            own[list] = .array(
                config[list].items.filter { $0["name"] == entry["context"][field] }.map { found in
                    var found = found
                    for key in paths {
                        guard let path = found[field][key].string, !path.isEmpty else { continue }
                        found[field][key] = .string(DocumentPath.whole(path, in: file))
                    }
                    return found
                })
        }
        return own
    }
}
