import API
import Glibc
import Host
import Model
import YAML

extension APIEndpoint {
    /// What a context of a kubeconfig file leads to; without a name the file's `current-context`.
    /// (kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig)
    package init(kubeconfig file: String, context name: String? = nil) throws {
        let config = try Self.document(file)
        guard let name = name ?? config["current-context"].string, !name.isEmpty else {
            throw UserError("\(file) has no current-context", hint: "choose one: kubectl config use-context NAME")
        }
        func entry(_ list: String, _ field: String, _ name: String) throws -> JSON {
            guard let found = config[list].items.first(where: { $0["name"].string == name }) else {
                throw UserError("\(file) has no entry \"\(name)\" among its \(list)", hint: "see kubectl config view --kubeconfig \(file)")
            }
            return found[field]
        }
        let context = try entry("contexts", "context", name)
        let cluster = try entry("clusters", "cluster", context["cluster"].string ?? "")
        let user = context["user"].string.map { $0.isEmpty ? nil : $0 } ?? nil
        let access = KubeconfigAccess(file: file, cluster: cluster, user: try user.map { try entry("users", "user", $0) } ?? .null)
        let server: (authority: Authority, prefix: String)
        do { server = try Self.authority(of: cluster["server"].string ?? "") } catch {
            throw UserError("\(file), cluster \"\(context["cluster"].string ?? "")\": \(error)")
        }
        try self.init(
            server.authority, prefix: server.prefix, trust: try access.trust, serverName: cluster["tls-server-name"].string,
            identity: try access.identity, token: try access.token)
    }

    private static func document(_ file: String) throws -> JSON {
        let text: String
        do { text = String(decoding: try Files.read(file), as: UTF8.self) } catch {
            throw UserError("cannot read the kubeconfig \(file): \(String(cString: strerror(error.errno)))")
        }
        let documents = try YAMLReader.documents(text, file: file, keepsLines: false)
        guard let config = documents.first?.json, config["kind"].string == "Config" else {
            throw UserError("\(file) is no kubeconfig: it has no `kind: Config`")
        }
        return config
    }
}

/// What a kubeconfig says of one cluster and one user, read where it stands: in the file, or in files beside it.
private struct KubeconfigAccess {
    let file: String
    let cluster: JSON
    let user: JSON

    var trust: APIEndpoint.Trust {
        get throws {
            if cluster["insecure-skip-tls-verify"].bool == true { return .anyone }
            return try bytes(cluster, "certificate-authority").map { .authorities(String(decoding: $0, as: UTF8.self)) } ?? .machine
        }
    }

    var identity: APIEndpoint.Identity? {
        get throws {
            guard let certificate = try bytes(user, "client-certificate") else { return nil }
            guard let key = try bytes(user, "client-key") else {
                throw UserError("\(file): the user has a client-certificate and no client-key")
            }
            return APIEndpoint.Identity(
                certificate: String(decoding: certificate, as: UTF8.self), key: String(decoding: key, as: UTF8.self))
        }
    }

    var token: (@Sendable () throws -> String)? {
        get throws {
            for way in ["exec", "auth-provider", "username"] where !user[way].isNull {
                throw UserError(
                    "\(file): the user's credentials come by `\(way)`, which minik does not do",
                    hint: "make a token: kubectl create serviceaccount, kubectl create token, kubectl config set-credentials --token")
            }
            if let token = user["token"].string, !token.isEmpty { return { token } }
            guard let path = user["tokenFile"].string, !path.isEmpty else { return nil }
            let whole = beside(path)
            return { String(decoding: try Files.read(whole), as: UTF8.self).trimmed }
        }
    }

    /// `NAME-data`, or the file that `NAME` names.
    private func bytes(_ entry: JSON, _ name: String) throws -> [UInt8]? {
        if let data = entry["\(name)-data"].string, !data.isEmpty {
            guard let bytes = Base64.decode(data) else { throw UserError("\(file): \(name)-data is no base64") }
            return bytes
        }
        guard let path = entry[name].string, !path.isEmpty else { return nil }
        do { return try Files.read(beside(path)) } catch {
            throw UserError("\(file): cannot read \(name) \(beside(path)): \(String(cString: strerror(error.errno)))")
        }
    }

    /// Paths in a kubeconfig start where it lies.
    private func beside(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        let directory = file.lastIndex(of: "/").map { String(file[..<$0]) } ?? "."
        return "\(directory)/\(path)"
    }
}
