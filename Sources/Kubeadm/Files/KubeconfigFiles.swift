import API
import Host
import Model
import TLS
import YAML

/// The kubeconfig files of a control plane's node, all data in them.
struct KubeconfigFiles {
    let settings: ClusterSettings
    /// Where they lie.
    let folder: String

    struct Entry {
        let file: String
        let user: String
        var groups: [String] = []
        let server: String
        /// As the context calls its user.
        let name: String

        /// As its phase is called.
        var phase: String { file.replacing(".conf", with: "") }
    }

    var entries: [Entry] {
        let release = settings.release, node = "system:node:\(settings.nodeName)"
        func part(_ file: String, _ user: String) -> Entry { Entry(file: file, user: user, server: settings.localServer, name: user) }
        let admin = Entry(
            file: "admin.conf", user: "kubernetes-admin", groups: [release.adminGroup], server: settings.server, name: "kubernetes-admin")
        let superior = Entry(
            file: "super-admin.conf", user: "kubernetes-super-admin", groups: ["system:masters"], server: settings.server,
            name: "kubernetes-super-admin")
        let kubelet = Entry(
            file: "kubelet.conf", user: node, groups: ["system:nodes"], server: release.isOld ? settings.server : settings.localServer,
            name: node)
        return [admin] + (release.isOld ? [] : [superior]) + [
            kubelet, part("controller-manager.conf", "system:kube-controller-manager"), part("scheduler.conf", "system:kube-scheduler"),
        ]
    }

    /// Makes those that are missing, but what `isLeftOut` says by its phase.
    func complete(
        _ authority: CertificateAuthority, isLeftOut: (String) -> Bool = { _ in false }, say: (String) -> Void, warn: (String) -> Void
    ) throws {
        let entries = entries.filter { !isLeftOut($0.phase) }
        var keys = try CertificateFolder.keys(entries.filter { !Files.exists("\(folder)/\($0.file)") }.count)[...]
        for entry in entries {
            let path = "\(folder)/\(entry.file)"
            if let text = Files.text(path) {
                let server = try KubeconfigText.server(of: text, path)
                if server != entry.server {
                    warn(
                        "a kubeconfig file \"\(path)\" exists already but has an unexpected API Server URL: expected: \(entry.server), got: \(server)"
                    )
                }
                say("[kubeconfig] Using existing kubeconfig file: \"\(path)\"")
            } else if let key = keys.popFirst() {
                say("[kubeconfig] Writing \"\(entry.file)\" kubeconfig file")
                try Files.write(try text(entry, authority, key), to: path, mode: 0o600)
            }
        }
    }

    func text(_ entry: Entry, _ authority: CertificateAuthority, _ key: PrivateKey) throws -> String {
        let certificate = try authority.issue(
            commonName: entry.user, organizations: entry.groups, for: CertificateUse(extended: ["clientAuth"]), key: key,
            isMarked: !settings.release.isOld)
        return KubeconfigText.text(
            server: entry.server, authority: authority.certificate.pem, cluster: settings.clusterName, user: entry.name,
            credentials: [
                "client-certificate-data": .string(Base64.encode(Array(certificate.pem.utf8))),
                "client-key-data": .string(Base64.encode(Array(key.traditionalPEM.utf8))),
            ], isOld: settings.release.isOld)
    }
}

/// One kubeconfig, as kubeadm writes it.
enum KubeconfigText {
    static func text(server: String, authority: String, cluster: String, user: String, credentials: JSON, isOld: Bool) -> String {
        let context = "\(user)@\(cluster)"
        return YAMLText.of([
            "apiVersion": "v1", "kind": "Config", "preferences": isOld ? .emptyObject : .null, "current-context": .string(context),
            "clusters": [["name": .string(cluster), "cluster": self.cluster(server, authority)]],
            "contexts": [["name": .string(context), "context": ["cluster": .string(cluster), "user": .string(user)]]],
            "users": [["name": .string(user), "user": credentials]],
        ])
    }

    static func cluster(_ server: String, _ authority: String) -> JSON {
        ["certificate-authority-data": .string(Base64.encode(Array(authority.utf8))), "server": .string(server)]
    }

    static func document(_ text: String, _ path: String) throws -> JSON {
        guard let json = try YAMLReader.documents(text, file: path, keepsLines: false).first?.json, json["kind"].string == "Config" else {
            throw KubeadmError("failed to load admin kubeconfig: \(path) holds no Config")
        }
        return json
    }

    /// The server of the current context's cluster, or the first one's.
    static func server(of text: String, _ path: String) throws -> String { try cluster(of: text, path)["server"].string ?? "" }

    static func cluster(of text: String, _ path: String) throws -> JSON {
        let json = try document(text, path), context = json["current-context"].string
        let name = json["contexts"].items.first { $0["name"].string == context }?["context"]["cluster"].string
        return (json["clusters"].items.first { $0["name"].string == name } ?? json["clusters"].items.first ?? .null)["cluster"]
    }

    /// What its cluster's authority is known by.
    static func digest(of text: String, _ path: String) throws -> [UInt8] {
        try Certificate(pem: try authority(of: text, path)).publicKeyDigest
    }

    /// The certificate of its cluster's authority, PEM.
    static func authority(of text: String, _ path: String) throws -> String {
        guard let bytes = try cluster(of: text, path)["certificate-authority-data"].string.flatMap({ Base64.decode($0) }) else {
            throw KubeadmError("\(path) holds no certificate-authority-data")
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
