import API
import Host
import Model
import Runtime
import YAML

/// A cluster's entry in a kubeconfig file. (kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig)
package struct Kubeconfig {
    let paths: ClusterPaths

    package init(paths: ClusterPaths) { self.paths = paths }

    /// What cluster, user and context are called: `minik-lab`.
    package var name: String { "minik-\(paths.cluster)" }

    /// A kubeconfig of this cluster alone.
    package func document() throws -> JSON {
        guard let port = Files.text(paths.apiPort).flatMap({ Int($0.trimmed) }) else {
            throw UserError(
                "the API of cluster \"\(paths.cluster)\" has no port yet", hint: "bring its daemon up: minik up -c \(paths.cluster)")
        }
        if let cluster = try paths.storedCluster(), cluster.bootstrap == .kubeadm { return try administrators(of: cluster, port) }
        func encoded(_ file: String) throws -> JSON { .string(Base64.encode(try Files.read("\(paths.pki)/\(file)"))) }
        let label = JSON.string(name)
        return [
            "apiVersion": "v1", "kind": "Config", "preferences": .emptyObject, "current-context": label,
            "clusters": [
                [
                    "name": label,
                    "cluster": ["server": .string("https://127.0.0.1:\(port)"), "certificate-authority-data": try encoded("ca.crt")],
                ]
            ],
            "users": [
                [
                    "name": label,
                    "user": ["client-certificate-data": try encoded("admin.crt"), "client-key-data": try encoded("admin.key")],
                ]
            ],
            "contexts": [["name": label, "context": ["cluster": label, "user": label]]],
        ]
    }

    /// What kubeadm has written for the administrator, with the way that leads there from this machine.
    private func administrators(of cluster: Cluster, _ port: Int) throws -> JSON {
        let path = "/etc/kubernetes/admin.conf"
        for node in cluster.nodes {
            guard let text = try NodeRoot(node.name, paths: paths).text(path),
                let file = try YAMLReader.documents(text, file: path, keepsLines: false).first?.json
            else { continue }
            var own = file["clusters"][0]["cluster"]
            own["server"] = .string("https://127.0.0.1:\(port)")
            // Its certificate is none for this address.
            own["tls-server-name"] = "kubernetes"
            let label = JSON.string(name)
            return [
                "apiVersion": "v1", "kind": "Config", "preferences": .emptyObject, "current-context": label,
                "clusters": [["name": label, "cluster": own]], "users": [["name": label, "user": file["users"][0]["user"]]],
                "contexts": [["name": label, "context": ["cluster": label, "user": label]]],
            ]
        }
        throw UserError("no node of \"\(cluster.name)\" has a \(path)", hint: "kubeadm init writes it (docs/kubeadm.md)")
    }

    /// Puts this cluster into the user's kubeconfig and makes it the current context, as kind does.
    package func write() throws {
        let file = UserFile.kubeconfig()
        try file.edit { old in
            let own = try document()
            var merged: JSON = old.isNull ? ["apiVersion": "v1", "kind": "Config", "preferences": .emptyObject] : old
            for list in ["clusters", "users", "contexts"] {
                merged[list] = .array(merged[list].items.filter { $0["name"].string != name } + own[list].items)
            }
            merged["current-context"] = own["current-context"]
            return merged
        }
        if !remembered.contains(file.realPath) {
            try Files.write((remembered + [file.realPath]).map { "\($0)\n" }.joined(), to: list, mode: 0o600)
        }
    }

    /// Where it is written which files the cluster stands in: `down` may be called with another $KUBECONFIG.
    private var list: String { "\(paths.state)/kubeconfigs" }
    private var remembered: [String] { (Files.text(list) ?? "").split(separator: "\n").map(String.init) }

    /// Takes this cluster out of every kubeconfig that it was put into, and of the user's; nothing there is no error.
    package func remove() throws {
        let own = UserFile.kubeconfig()
        for file in [own] + remembered.filter({ $0 != own.realPath }).compactMap(UserFile.init(existing:)) where Files.exists(file.path) {
            try remove(from: file)
        }
    }

    private func remove(from file: UserFile) throws {
        try file.edit { old in
            guard ["clusters", "users", "contexts"].contains(where: { list in old[list].items.contains { $0["name"].string == name } })
            else { return nil }
            var rest = old
            for list in ["clusters", "users", "contexts"] { rest[list] = .array(old[list].items.filter { $0["name"].string != name }) }
            if old["current-context"].string == name { rest["current-context"] = .null }
            return rest
        }
    }
}
