import Glibc
import Host
import Model
import YAML

/// A file of kubeadm's own documents. (kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4)
struct ConfigurationFile {
    static let kinds = ["InitConfiguration", "ClusterConfiguration", "JoinConfiguration", "ResetConfiguration", "UpgradeConfiguration"]
    private static let others = ["KubeletConfiguration", "KubeProxyConfiguration"]

    private(set) var documents: [String: JSON] = [:]

    /// Complains of old versions on the console; refuses what it does not know.
    init(path: String, _ release: Release, _ console: Console) throws {
        let text: String
        do { text = String(decoding: try Files.read(path), as: UTF8.self) } catch {
            throw KubeadmError(
                "unable to read config from \"\(path)\" : open \(path): \(String(cString: strerror(error.errno)).lowercased())")
        }
        for document in try YAMLReader.documents(text, file: path, keepsLines: false) {
            try take(document.json, path, release, console)
        }
    }

    private mutating func take(_ json: JSON, _ path: String, _ release: Release, _ console: Console) throws {
        let version = json["apiVersion"].string ?? "", kind = json["kind"].string ?? ""
        guard !version.isEmpty, !kind.isEmpty, version.contains(".k8s.io/") else {
            throw KubeadmError(
                "invalid configuration for GroupVersionKind /, Kind=: kind and apiVersion is mandatory information that must be specified")
        }
        if Self.others.contains(kind) { return }
        let known = release.readVersions
        guard version.hasPrefix("kubeadm.k8s.io/"), Self.kinds.contains(kind) else {
            throw KubeadmError("unknown configuration APIs: []schema.GroupVersionKind{\(Self.goKind(version, kind))}")
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
        guard documents[kind] == nil else {
            throw KubeadmError(
                "[invalid configuration: kind \"\(kind)\" is specified twice in YAML file, invalid configuration: kinds ...]")
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

    private var cluster: JSON { documents["ClusterConfiguration"] ?? .null }
    private var initial: JSON { documents["InitConfiguration"] ?? .null }
    var version: String? { cluster["kubernetesVersion"].string }
    var nodeName: String? { initial["nodeRegistration"]["name"].string }

    func apply(to settings: inout ClusterSettings) throws {
        if let address = initial["localAPIEndpoint"]["advertiseAddress"].string { settings.advertiseAddress = address }
        if let port = initial["localAPIEndpoint"]["bindPort"].int { settings.bindPort = port }
        if let socket = initial["nodeRegistration"]["criSocket"].string { settings.criSocket = socket }
        if let taints = initial["nodeRegistration"]["taints"].array { settings.taints = taints }
        let entry = initial["bootstrapTokens"][0]
        if let text = entry["token"].string {
            guard let token = BootstrapToken(text) else { throw SettingsReader.badToken(text) }
            settings.token = token
        }
        if let life = entry["ttl"].string.flatMap({ GoDuration($0) }) { settings.tokenLife = max(0, life.seconds) }
        if let folder = cluster["certificatesDir"].string { settings.certificatesFolder = folder }
        if let name = cluster["clusterName"].string { settings.clusterName = name }
        if let endpoint = cluster["controlPlaneEndpoint"].string { settings.endpoint = endpoint }
        if let repository = cluster["imageRepository"].string { settings.repository = repository }
        if let folder = cluster["etcd"]["local"]["dataDir"].string { settings.etcdFolder = folder }
        let networking = cluster["networking"]
        if let domain = networking["dnsDomain"].string { settings.domain = domain }
        if let range = networking["podSubnet"].string { settings.podSubnet = range }
        if let range = networking["serviceSubnet"].string { settings.serviceSubnet = range }
        settings.extraNames = cluster["apiServer"]["certSANs"].items.compactMap(\.string)
        for (component, part) in [
            ("kube-apiserver", cluster["apiServer"]), ("kube-controller-manager", cluster["controllerManager"]),
            ("kube-scheduler", cluster["scheduler"]), ("etcd", cluster["etcd"]["local"]),
        ] { settings.extraArguments[component] = Self.arguments(part["extraArgs"]) }
    }

    /// A map in older documents, a list in newer ones.
    private static func arguments(_ json: JSON) -> [String: String] {
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
