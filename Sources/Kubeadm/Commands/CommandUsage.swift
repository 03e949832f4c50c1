/// What `--help` prints of a command.
struct CommandUsage {
    let page: CommandPage
    let release: Release

    private var children: [CommandPage] { CommandTree.children(of: page) }

    var text: String {
        var parts = [page.summary, (["Usage:"] + calls.map { "  \($0)" }).joined(separator: "\n")]
        if !children.isEmpty {
            parts.append("Available Commands:\n" + Self.columns(children.map { ($0.path.last ?? "", $0.summary) }))
        }
        let phases = page.phases.map { SkippedPhases.names(of: $0, release) } ?? []
        if !phases.isEmpty {
            parts.append("Phases, in their order; --skip-phases leaves some out:\n" + phases.map { "  \($0)" }.joined(separator: "\n"))
        }
        if !shown.isEmpty { parts.append("Flags:\n" + rows(shown + ["help"])) }
        parts.append("\(page.path.isEmpty || shown.isEmpty ? "Flags" : "Global Flags"):\n" + rows(globals))
        if page.path.isEmpty { parts.append(Self.example) }
        if !children.isEmpty { parts.append("Use \"\(page.name) [command] --help\" for more about a command.") }
        return parts.joined(separator: "\n\n")
    }

    private var calls: [String] {
        let own = page.work == nil ? [] : [[page.name, page.operands, "[flags]"].filter { !$0.isEmpty }.joined(separator: " ")]
        return own + (children.isEmpty ? [] : ["\(page.name) [command]"])
    }

    private static let old: Set<String> = ["experimental-patches", "experimental-output", "csr-only", "use-api"]

    /// Of the release, sorted.
    private var shown: [String] { page.flags.keys.filter { release.isOld || !Self.old.contains($0) }.sorted() }
    private var globals: [String] { CommandPage.global.keys.sorted() + (shown.isEmpty ? ["help"] : []) }

    private func rows(_ names: [String]) -> String {
        let letters = Dictionary(page.shorts.map { ($0.value, $0.key) }, uniquingKeysWith: { first, _ in first })
        return Self.columns(
            names.map { name in
                let letter = name == "help" ? "h" : name == "v" ? "v" : letters[name]
                let (value, text) = FlagWords.of(name, page.flags[name] ?? CommandPage.global[name] ?? .isSet)
                return ("\(letter.map { "-\($0), " } ?? "    ")--\(name)\(value.isEmpty ? "" : " \(value)")", text)
            })
    }

    private static func columns(_ rows: [(String, String)]) -> String {
        let width = rows.map(\.0.count).max() ?? 0
        return rows.map { "  \($0)\(String(repeating: " ", count: width - $0.count))   \($1)" }.joined(separator: "\n")
    }

    private static let example = """
        Example:
          kubeadm init --pod-network-cidr=10.244.0.0/16     on one machine
          kubeadm join ADDRESS:6443 --token ... --discovery-token-ca-cert-hash sha256:...     on the others
        """
}

/// What flags are for. One name means one thing in all commands.
enum FlagWords {
    /// The kind of value that it takes, and its words.
    static func of(_ name: String, _ kind: Arguments.Kind) -> (value: String, text: String) {
        let value =
            switch kind {
            case .isSet: ""
            case .duration: "duration"
            case .number: "int32"
            case .text: lists.contains(name) ? "strings" : "string"
            }
        return (value, words[name] ?? "")
    }

    private static let lists: Set<String> = [
        "apiserver-cert-extra-sans", "discovery-token-ca-cert-hash", "ignore-preflight-errors", "skip-phases", "groups", "usages",
    ]

    private static let words = [
        "allow-experimental-api": "taken, and without effect",
        "apiserver-advertise-address": "the address at which others are told to find the API; without it the machine's own",
        "apiserver-bind-port": "the API's port (default 6443)",
        "apiserver-cert-extra-sans": "names and addresses that the API's certificate is good for besides",
        "cert-dir": "where certificates are kept (default \"/etc/kubernetes/pki\")",
        "certificate-key": "the key that certificates are encrypted by for other control planes",
        "cleanup-tmp-dir": "also empty /etc/kubernetes/tmp",
        "component-configs": "components whose configuration is printed, too",
        "config": "a file of kubeadm's documents, in the place of most flags",
        "control-plane": "join as a control plane (minik's clusters have one, and this is refused)",
        "control-plane-endpoint": "a name or an address that all control planes share, HOST or HOST:PORT",
        "cri-socket": "where the container runtime listens",
        "csr-only": "taken, and without effect", "description": "what a token is for, for people",
        "discovery-file": "a kubeconfig that names the cluster",
        "discovery-token": "the token by which the cluster is recognized",
        "discovery-token-ca-cert-hash": "what the cluster's authority must be, sha256:HEX of its public key",
        "discovery-token-unsafe-skip-ca-verification": "join without such a hash",
        "dry-run": "change nothing, and say what would be done",
        "experimental-output": "as --output", "experimental-patches": "as --patches",
        "feature-gates": "key=value pairs; there are none", "force": "do not ask first", "groups": "the groups of who comes with the token",
        "help": "print this, and do nothing",
        "ignore-preflight-errors": "checks whose errors are warnings; `all`: each one",
        "image-repository": "the registry that the control plane's images are named after",
        "kubeconfig": "how the cluster is reached (without: KUBECONFIG, /etc/kubernetes/admin.conf, ~/.kube/config)",
        "kubernetes-version": "the release to set up (default \"stable-1\": the machine's own)",
        "new-config": "where the migrated file goes; without it to standard output", "node-name": "the node's name, which is the machine's",
        "old-config": "the file to migrate", "output": "json, yaml or text", "patches": "a folder of patches for what is written",
        "pod-network-cidr": "the range that nodes' ranges for pods are taken of; without it nodes get none",
        "print-join-command": "print the whole command by which a machine joins",
        "rootfs": "taken, and without effect", "service-cidr": "the range of Services' addresses (default \"10.96.0.0/12\")",
        "service-dns-domain": "the domain of Services' names (default \"cluster.local\")",
        "skip-certificate-key-print": "keep the key of --upload-certs to itself", "skip-phases": "phases to leave out",
        "skip-token-print": "keep the token to itself", "tls-bootstrap-token": "the token by which the node's certificate is asked for",
        "token": "the token that machines join with, [a-z0-9]{6}.[a-z0-9]{16}",
        "token-ttl": "how long that is good; 0: for ever (default 24h0m0s)",
        "ttl": "how long the token is good; 0: for ever (default 24h0m0s)",
        "upload-certs": "keep the control plane's certificates in the cluster",
        "usages": "what the token is for (default [signing,authentication])",
        "use-api": "taken, and without effect", "v": "how much to say (taken, and without effect)", "vmodule": "taken, and without effect",
    ]
}
