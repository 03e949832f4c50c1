import API
import Glibc
import Host
import Model
import TLS

/// `kubeadm certs`: check-expiration, renew, certificate-key.
struct CertsCommand {
    let tool: KubeadmTool
    private var release: Release { Release(tool.machine.version) }
    private var console: Console { tool.console }

    private static let flags: [String: Arguments.Kind] = ["cert-dir": .text, "config": .text, "kubeconfig": .text]
    private static let signs = "the authority's key is here, and signs"
    private static let idle = ["config": "the certificates say themselves what they are", "csr-only": signs, "use-api": signs]

    static let pages = [
        CommandPage(path: ["certs"], summary: "The control plane's certificates."),
        CommandPage(path: ["certs", "certificate-key"], summary: "Print a random key, 64 hexadecimal digits.") { tool, _ in
            tool.console.out(JoinLine.hex((0..<32).map { _ in UInt8.random(in: .min ... .max) }))
        },
        CommandPage(
            path: ["certs", "check-expiration"], summary: "Say how long each certificate is good.",
            flags: flags.merging(["output": .text]) { $1 }, shorts: ["o": "output"], idle: idle
        ) { try await CertsCommand(tool: $0).check($1) },
        CommandPage(
            path: ["certs", "renew"], summary: "Make certificates anew: all, or one by its name in check-expiration.",
            operands: "all|CERTIFICATE", most: 1, flags: flags.merging(["csr-only": .isSet, "use-api": .isSet]) { $1 }, idle: idle
        ) { try CertsCommand(tool: $0).renew($1) },
    ]

    private func folder(_ arguments: Arguments) -> CertificateFolder {
        CertificateFolder(path: arguments["cert-dir"] ?? "/etc/kubernetes/pki", release: release)
    }

    /// One certificate, of a file of its own or of a kubeconfig.
    private struct Row {
        let name: String
        let title: String
        var authority = ""
        var certificate: Certificate?
    }

    private static let titles = [
        "apiserver": "serving the Kubernetes API",
        "apiserver-etcd-client": "the apiserver uses to access etcd",
        "apiserver-kubelet-client": "for the API server to connect to kubelet",
        "etcd-healthcheck-client": "for liveness probes to healthcheck etcd",
        "etcd-peer": "for etcd nodes to communicate with each other", "etcd-server": "for serving etcd",
        "front-proxy-client": "for the front proxy client",
    ]

    private var kubeconfigs: [String] {
        ["admin.conf", "controller-manager.conf", "scheduler.conf"] + (release.isOld ? [] : ["super-admin.conf"])
    }

    private func leaves(_ folder: CertificateFolder) -> [Row] {
        var settings = ClusterSettings(release)
        settings.node.name = tool.machine.hostname
        let entries = CertificatePlan(settings: settings).entries.filter { $0.authority != nil }
        let own = entries.map { entry in
            let name = entry.file.replacing("/", with: "-")
            return Row(
                name: name, title: Self.titles[name] ?? name, authority: entry.authority?.replacing("/", with: "-") ?? "",
                certificate: Files.text("\(folder.path)/\(entry.file).crt").flatMap { try? Certificate(pem: $0) })
        }
        let others = kubeconfigs.map { name in
            let path = "\(InitCommand.folder)/\(name)"
            let data = Files.text(path).flatMap { try? KubeconfigText.document($0, path) }?["users"][0]["user"]["client-certificate-data"]
            let pem = data?.string.flatMap { Base64.decode($0) }.map { String(decoding: $0, as: UTF8.self) }
            return Row(
                name: name, title: "embedded in the kubeconfig file \(name)", authority: release.isOld ? "" : "ca",
                certificate: pem.flatMap { try? Certificate(pem: $0) })
        }
        return (own + others).sorted { $0.name < $1.name }
    }

    private func authorities(_ folder: CertificateFolder) -> [Row] {
        ["ca", "etcd/ca", "front-proxy-ca"].map { file in
            Row(
                name: file.replacing("/", with: "-"), title: file,
                certificate: Files.text("\(folder.path)/\(file).crt").flatMap { try? Certificate(pem: $0) })
        }
    }

    // MARK: Expiration

    private func check(_ arguments: Arguments) async throws {
        let folder = folder(arguments), now = Timestamp.now().seconds
        if arguments["output"] == "json" {
            return console.out(
                JSON.object(
                    JSONObject(
                        uniqueKeys: ["apiVersion", "kind", "certificates", "certificateAuthorities"],
                        values: [
                            "output.kubeadm.k8s.io/v1alpha3", "CertificateExpirationInfo", .array(leaves(folder).map { json($0, now) }),
                            .array(authorities(folder).map { json($0, now) }),
                        ])
                ).text(indented: true))
        }
        await read()
        Columns.lines(
            [["CERTIFICATE", "EXPIRES", "RESIDUAL TIME", "CERTIFICATE AUTHORITY", "EXTERNALLY MANAGED"]]
                + leaves(folder).map { cells($0, now, hasAuthority: true) }
        ).forEach(console.out)
        console.out("")
        Columns.lines(
            [["CERTIFICATE AUTHORITY", "EXPIRES", "RESIDUAL TIME", "EXTERNALLY MANAGED"]]
                + authorities(folder).map { cells($0, now, hasAuthority: false) }
        ).forEach(console.out)
    }

    private func read() async {
        guard Files.exists(InitCommand.admin) else { return }
        console.out(
            release.isOld
                ? "[check-expiration] Reading configuration from the cluster..."
                : "[check-expiration] Reading configuration from the \"kubeadm-config\" ConfigMap in namespace \"kube-system\"...")
        do {
            _ = try await tool.machine.api(InitCommand.admin).get(.configMaps, ObjectKey(ClusterObjects.system, ClusterObjects.configMap))
        } catch {
            console.out("[check-expiration] Error reading configuration from the Cluster. Falling back to default configuration")
        }
        console.out("")
    }

    private func cells(_ row: Row, _ now: Int, hasAuthority: Bool) -> [String] {
        guard let certificate = row.certificate else {
            return ["!MISSING! \(row.name)"] + Array(repeating: "", count: hasAuthority ? 4 : 3)
        }
        return [row.name, Self.date(certificate.notAfter), Self.left(certificate.notAfter - now)] + (hasAuthority ? [row.authority] : [])
            + ["no"]
    }

    private func json(_ row: Row, _ now: Int) -> JSON {
        guard let certificate = row.certificate else { return ["name": .string(row.name), "missing": true] }
        return [
            "name": .string(row.name), "expirationDate": .string(Timestamp(seconds: certificate.notAfter).description),
            "residualTime": .int(certificate.notAfter - now), "externallyManaged": false,
            "caName": row.authority.isEmpty ? .null : .string(row.authority),
        ]
    }

    private static let day = 86400, year = 365 * 86400

    private static func left(_ seconds: Int) -> String {
        if seconds < 0 { return "<invalid>" }
        return seconds >= 3 * year || seconds >= year
            ? "\(seconds / year)y" : seconds >= day ? "\(seconds / day)d" : humanDuration(seconds: seconds)
    }

    /// Nov 28, 2027 10:25 UTC
    private static func date(_ seconds: Int) -> String {
        let text = Timestamp(seconds: seconds).description
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let parts = text.prefix(10).split(separator: "-").map(String.init)
        guard parts.count == 3, let month = Int(parts[1]), (1...12).contains(month) else { return text }
        return "\(months[month - 1]) \(parts[2]), \(parts[0]) \(text.dropFirst(11).prefix(5)) UTC"
    }

    // MARK: Renewal

    private func renew(_ arguments: Arguments) throws {
        guard let wanted = arguments.positional.first else { throw tool.missing(CommandTree.find(["certs", "renew"]).page) }
        let folder = folder(arguments)
        let rows = leaves(folder)
        guard wanted == "all" || rows.contains(where: { $0.name == wanted }) else {
            throw KubeadmError("unknown command \"\(wanted)\" for \"kubeadm certs renew\"")
        }
        for row in rows where wanted == "all" || row.name == wanted {
            guard let certificate = row.certificate else {
                console.out("MISSING! certificate \(row.title)")
                continue
            }
            if row.name.hasSuffix(".conf") {
                try renew(kubeconfig: row.name, certificate, folder)
            } else {
                try renew(row, certificate, folder)
            }
            console.out("certificate \(row.title) renewed")
        }
        console.out("")
        console.out(
            "Done renewing certificates. You must restart the kube-apiserver, kube-controller-manager, kube-scheduler and etcd, so that they can use the new certificates."
        )
    }

    /// Says what the old one does.
    private func renew(_ row: Row, _ old: Certificate, _ folder: CertificateFolder) throws {
        let plan = CertificatePlan(settings: ClusterSettings(release)).entries.first { $0.phase == row.name }
        guard var entry = plan else { return }
        let names = old.alternatives
        entry = CertificatePlan.Entry(
            file: entry.file, commonName: old.subject.commonName, organizations: old.subject.organizations, authority: entry.authority,
            use: entry.use, names: names.names, addresses: names.addresses)
        try folder.renew(entry)
    }

    private func renew(kubeconfig name: String, _ old: Certificate, _ folder: CertificateFolder) throws {
        let path = "\(InitCommand.folder)/\(name)"
        guard let text = Files.text(path) else { return }
        var document = try KubeconfigText.document(text, path)
        let key = try PrivateKey(rsaBits: CertificateFolder.bits)
        let made = try folder.authority("ca").issue(
            commonName: old.subject.commonName, organizations: old.subject.organizations, for: CertificateUse(extended: ["clientAuth"]),
            key: key, isMarked: !release.isOld)
        var users = document["users"].items
        guard !users.isEmpty else { return }
        users[0]["user"]["client-certificate-data"] = .string(Base64.encode(Array(made.pem.utf8)))
        users[0]["user"]["client-key-data"] = .string(Base64.encode(Array(key.traditionalPEM.utf8)))
        document["users"] = .array(users)
        try Files.write(YAMLText.of(document), to: path, mode: 0o600)
    }
}
