import Glibc
import Host
import Model
import YAML

/// A file of kubeadm's own documents. (kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4)
struct ConfigurationFile {
    static let kinds = ["InitConfiguration", "ClusterConfiguration", "JoinConfiguration", "ResetConfiguration", "UpgradeConfiguration"]
    private static let others = ["KubeletConfiguration", "KubeProxyConfiguration"]

    /// What a file is read for.
    enum Purpose {
        case initialize, join, reset
        /// To be looked at as a whole.
        case whole

        fileprivate var kinds: [String] {
            switch self {
            case .initialize: ["InitConfiguration", "ClusterConfiguration"]
            case .join: ["JoinConfiguration"]
            case .reset: ["ResetConfiguration"]
            case .whole: ConfigurationFile.kinds
            }
        }
    }

    private(set) var documents: [String: JSON] = [:]

    /// Complains of old versions, and of documents that are for something else, on the console; refuses what it does not know.
    init(path: String, for purpose: Purpose, _ release: Release, _ console: Console) throws {
        let text: String
        do { text = String(decoding: try Files.read(path), as: UTF8.self) } catch {
            throw KubeadmError(
                "unable to read config from \"\(path)\" : open \(path): \(String(cString: strerror(error.errno)).lowercased())")
        }
        let all = try YAMLReader.documents(text, file: path, keepsLines: false).map(\.json)
        try Self.requireKinds(all)
        for document in all { try take(document, for: purpose, release, console) }
        guard purpose != .whole, !purpose.kinds.contains(where: { documents[$0] != nil }) else { return }
        throw KubeadmError(
            purpose == .initialize
                ? "no InitConfiguration or ClusterConfiguration kind was found in the \(release.isOld ? "YAML" : "configuration") file"
                : "no \(purpose.kinds[0]) found in config file \"\(path)\"")
    }

    /// Each document says of what kind it is, and no other is of that.
    private static func requireKinds(_ documents: [JSON]) throws(KubeadmError) {
        var known: Set<String> = [], twice: [String] = []
        for json in documents {
            let (group, version) = groupVersion(json), kind = json["kind"].string ?? ""
            guard !group.isEmpty, !version.isEmpty, !kind.isEmpty else {
                throw KubeadmError(
                    "invalid configuration for GroupVersionKind \(kindText(json)): kind and apiVersion is mandatory information that must be specified"
                )
            }
            if !known.insert(kind).inserted { twice.append("invalid configuration: kind \"\(kind)\" is specified twice in YAML file") }
        }
        guard !twice.isEmpty else { return }
        throw KubeadmError(twice.count == 1 ? twice[0] : "[\(twice.joined(separator: ", "))]")
    }

    private static func groupVersion(_ json: JSON) -> (group: String, version: String) {
        let parts = (json["apiVersion"].string ?? "").split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        return parts.count > 1 ? (parts[0], parts[1]) : ("", parts.first ?? "")
    }

    /// (k8s.io/apimachinery/pkg/runtime/schema, GroupVersionKind.String)
    private static func kindText(_ json: JSON) -> String {
        let (group, version) = groupVersion(json)
        return "\(group)/\(version), Kind=\(json["kind"].string ?? "")"
    }

    private mutating func take(_ json: JSON, for purpose: Purpose, _ release: Release, _ console: Console) throws {
        let version = json["apiVersion"].string ?? "", kind = json["kind"].string ?? "", isOther = Self.others.contains(kind)
        if isOther, [.initialize, .whole].contains(purpose) {
            documents[kind] = json
            return
        }
        let known = release.readVersions
        guard isOther || version.hasPrefix("kubeadm.k8s.io/") && Self.kinds.contains(kind) else {
            throw KubeadmError("unknown configuration APIs: []schema.GroupVersionKind{\(Self.goKind(version, kind))}")
        }
        if !purpose.kinds.contains(kind) {
            let what = release.isOld ? "YAML" : "configuration"
            return console.warn(
                "[config] WARNING: Ignored \(what) document with GroupVersionKind \(Self.kindText(json))", "initconfiguration.go:361")
        }
        let tools = ["v1alpha3": "v1.14", "v1beta1": "v1.15", "v1beta2": "v1.22", "v1beta3": "v1.30"]
        let short = String(version.dropFirst("kubeadm.k8s.io/".count))
        guard known.contains(version) || short == "v1beta4" && release.version.minor >= 31 else {
            guard let tool = tools[short], !known.contains(version) else {
                throw KubeadmError("unknown configuration APIs: []schema.GroupVersionKind{\(Self.goKind(version, kind))}")
            }
            throw KubeadmError(
                "your configuration file uses an old API spec: \"\(version)\" (kind: \"\(kind)\"). Please use kubeadm \(tool) instead and run 'kubeadm config migrate --old-config old.yaml --new-config new.yaml', which will write the new, similar spec using a newer API version."
            )
        }
        if version != known.last {
            console.warn(
                "your configuration file uses a deprecated API spec: \"\(version)\" (kind: \"\(kind)\"). Please use 'kubeadm config migrate --old-config old.yaml --new-config new.yaml', which will write the new, similar spec using a newer API version.",
                "common.go:101")
        }
        if let unknown = ConfigurationFields.unknown(in: json, kind) {
            let words =
                "error unmarshaling configuration schema.GroupVersionKind{\(Self.goKind(version, kind))}: strict decoding error: unknown field \"\(unknown)\""
            guard release.isOld else { throw KubeadmError(words) }
            console.warn(words, "strict.go:54")
        }
        documents[kind] = json
    }

    private static func goKind(_ version: String, _ kind: String) -> String {
        let parts = version.split(separator: "/", maxSplits: 1).map(String.init)
        return "Group:\"\(parts.first ?? "")\", Version:\"\(parts.last ?? "")\", Kind:\"\(kind)\""
    }

    var cluster: JSON { documents["ClusterConfiguration"] ?? .null }
    var initial: JSON { documents["InitConfiguration"] ?? .null }
    var version: String? { cluster["kubernetesVersion"].string }

    /// A map in older documents, a list in newer ones.
    static func arguments(_ json: JSON) -> [String: String] {
        guard let items = json.array else { return json.stringMap }
        return Dictionary(items.map { ($0["name"].string ?? "", $0["value"].string ?? "") }, uniquingKeysWith: { $1 })
    }
}

/// The fields that kubeadm's documents have.
enum ConfigurationFields {
    private static let component = ["extraArgs", "extraVolumes", "extraEnvs"]
    private static let registration = [
        "name", "criSocket", "taints", "kubeletExtraArgs", "ignorePreflightErrors", "imagePullPolicy", "imagePullSerial",
    ]
    private static let fields: [String: [String]] = [
        "InitConfiguration": [
            "bootstrapTokens", "nodeRegistration", "localAPIEndpoint", "certificateKey", "skipPhases", "patches", "timeouts", "dryRun",
        ],
        "InitConfiguration.nodeRegistration": registration, "JoinConfiguration.nodeRegistration": registration,
        "InitConfiguration.localAPIEndpoint": ["advertiseAddress", "bindPort"],
        "ClusterConfiguration": [
            "etcd", "networking", "kubernetesVersion", "controlPlaneEndpoint", "apiServer", "controllerManager", "scheduler", "dns",
            "proxy", "certificatesDir", "imageRepository", "useHyperKubeImage", "featureGates", "clusterName", "encryptionAlgorithm",
            "certificateValidityPeriod", "caCertificateValidityPeriod",
        ],
        "ClusterConfiguration.networking": ["serviceSubnet", "podSubnet", "dnsDomain"],
        "ClusterConfiguration.apiServer": component + ["certSANs", "timeoutForControlPlane"],
        "ClusterConfiguration.controllerManager": component, "ClusterConfiguration.scheduler": component,
        "ClusterConfiguration.etcd": ["local", "external"],
        "ClusterConfiguration.etcd.local": [
            "dataDir", "extraArgs", "extraEnvs", "imageRepository", "imageTag", "serverCertSANs", "peerCertSANs",
        ],
        "ClusterConfiguration.dns": ["type", "imageRepository", "imageTag", "disabled"], "ClusterConfiguration.proxy": ["disabled"],
        "ResetConfiguration": [
            "certificatesDir", "cleanupTmpDir", "criSocket", "dryRun", "force", "ignorePreflightErrors", "skipPhases", "timeouts",
            "unmountFlags",
        ],
        "JoinConfiguration": [
            "nodeRegistration", "caCertPath", "discovery", "controlPlane", "skipPhases", "patches", "timeouts", "dryRun",
        ],
        "JoinConfiguration.discovery": ["bootstrapToken", "file", "tlsBootstrapToken", "timeout"],
        "JoinConfiguration.discovery.bootstrapToken": ["token", "apiServerEndpoint", "caCertHashes", "unsafeSkipCAVerification"],
    ]

    /// The path of the first field that is none.
    static func unknown(in json: JSON, _ kind: String) -> String? { unknown(in: json, kind, at: []) }

    private static func unknown(in json: JSON, _ key: String, at path: [String]) -> String? {
        guard let known = fields[key] else { return nil }
        for (name, value) in json.object ?? JSONObject() {
            if path.isEmpty, ["apiVersion", "kind", "metadata"].contains(name) { continue }
            guard known.contains(name) else { return (path + [name]).joined(separator: ".") }
            if let found = unknown(in: value, "\(key).\(name)", at: path + [name]) { return found }
        }
        return nil
    }
}
