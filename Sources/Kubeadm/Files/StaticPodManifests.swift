import API
import Model

/// The control plane's static pods. (k8s.io/kubernetes/cmd/kubeadm/app/phases/controlplane and etcd)
struct StaticPodManifests {
    static let folder = "/etc/kubernetes/manifests"

    let settings: ClusterSettings
    private var release: Release { settings.release }
    private var pki: String { settings.certificatesFolder }
    private var address: String { settings.advertiseAddress }
    private var host: String { IPAddress(address)?.family == .ipv6 ? "[\(address)]" : address }

    /// Components in the order in which they are written, etcd's aside.
    static let components = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"]

    func text(_ component: String) -> String {
        switch component {
        case "kube-apiserver": YAMLText.of(apiServer)
        case "kube-controller-manager": YAMLText.of(controllerManager)
        case "kube-scheduler": YAMLText.of(scheduler)
        default: YAMLText.of(etcd)
        }
    }

    // MARK: Flags

    private var apiServerFlags: [String: String] {
        var flags = [
            "advertise-address": address, "allow-privileged": "true", "authorization-mode": "Node,RBAC",
            "client-ca-file": "\(pki)/ca.crt", "enable-admission-plugins": "NodeRestriction", "enable-bootstrap-token-auth": "true",
            "etcd-cafile": "\(pki)/etcd/ca.crt", "etcd-certfile": "\(pki)/apiserver-etcd-client.crt",
            "etcd-keyfile": "\(pki)/apiserver-etcd-client.key", "etcd-servers": "https://127.0.0.1:2379",
            "kubelet-client-certificate": "\(pki)/apiserver-kubelet-client.crt",
            "kubelet-client-key": "\(pki)/apiserver-kubelet-client.key",
            "kubelet-preferred-address-types": "InternalIP,ExternalIP,Hostname",
            "proxy-client-cert-file": "\(pki)/front-proxy-client.crt", "proxy-client-key-file": "\(pki)/front-proxy-client.key",
            "requestheader-allowed-names": "front-proxy-client", "requestheader-client-ca-file": "\(pki)/front-proxy-ca.crt",
            "requestheader-extra-headers-prefix": "X-Remote-Extra-", "requestheader-group-headers": "X-Remote-Group",
            "requestheader-username-headers": "X-Remote-User", "secure-port": "\(settings.bindPort)",
            "service-account-key-file": "\(pki)/sa.pub", "service-cluster-ip-range": settings.serviceSubnet,
            "tls-cert-file": "\(pki)/apiserver.crt", "tls-private-key-file": "\(pki)/apiserver.key",
        ]
        if release.isOld { flags["insecure-port"] = "0" }
        if release.version >= KubernetesVersion(1, 20) {
            flags["service-account-issuer"] = "https://kubernetes.default.svc.\(settings.domain)"
            flags["service-account-signing-key-file"] = "\(pki)/sa.key"
        }
        return flags
    }

    private var controllerManagerFlags: [String: String] {
        let conf = "/etc/kubernetes/controller-manager.conf"
        var flags = [
            "authentication-kubeconfig": conf, "authorization-kubeconfig": conf, "bind-address": "127.0.0.1",
            "client-ca-file": "\(pki)/ca.crt", "cluster-name": settings.clusterName, "cluster-signing-cert-file": "\(pki)/ca.crt",
            "cluster-signing-key-file": "\(pki)/ca.key", "controllers": "*,bootstrapsigner,tokencleaner", "kubeconfig": conf,
            "leader-elect": "true", "requestheader-client-ca-file": "\(pki)/front-proxy-ca.crt", "root-ca-file": "\(pki)/ca.crt",
            "service-account-private-key-file": "\(pki)/sa.key", "use-service-account-credentials": "true",
        ]
        if release.isOld { flags["port"] = "0" }
        guard !settings.podSubnet.isEmpty else { return flags }
        flags["allocate-node-cidrs"] = "true"
        flags["cluster-cidr"] = settings.podSubnet
        flags["service-cluster-ip-range"] = settings.serviceSubnet
        return flags
    }

    private var schedulerFlags: [String: String] {
        let conf = "/etc/kubernetes/scheduler.conf"
        var flags = [
            "authentication-kubeconfig": conf, "authorization-kubeconfig": conf, "bind-address": "127.0.0.1", "kubeconfig": conf,
            "leader-elect": "true",
        ]
        if release.isOld { flags["port"] = "0" }
        return flags
    }

    private var etcdFlags: [String: String] {
        var flags = [
            "advertise-client-urls": "https://\(host):2379", "cert-file": "\(pki)/etcd/server.crt", "client-cert-auth": "true",
            "data-dir": settings.etcdFolder, "initial-advertise-peer-urls": "https://\(host):2380",
            "initial-cluster": "\(settings.nodeName)=https://\(host):2380", "key-file": "\(pki)/etcd/server.key",
            "listen-client-urls": "https://127.0.0.1:2379,https://\(host):2379", "listen-metrics-urls": "http://127.0.0.1:2381",
            "listen-peer-urls": "https://\(host):2380", "name": settings.nodeName, "peer-cert-file": "\(pki)/etcd/peer.crt",
            "peer-client-cert-auth": "true", "peer-key-file": "\(pki)/etcd/peer.key",
            "peer-trusted-ca-file": "\(pki)/etcd/ca.crt", "snapshot-count": "10000", "trusted-ca-file": "\(pki)/etcd/ca.crt",
        ]
        if !release.isOld {
            flags["feature-gates"] = "InitialCorruptCheck=true"
            flags["watch-progress-notify-interval"] = "5s"
        }
        return flags
    }

    /// Those of ours sorted, and with them those of the settings: among them in older releases, behind them in newer.
    static func words(_ own: [String: String], and extra: [String: String], _ release: Release) -> [String] {
        func words(_ flags: [String: String]) -> [String] { flags.sorted { $0.key < $1.key }.map { "--\($0.key)=\($0.value)" } }
        return release.isOld ? words(own.merging(extra) { $1 }) : words(own.filter { extra[$0.key] == nil }) + words(extra)
    }

    private func command(_ name: String, _ flags: [String: String]) -> JSON {
        .array(([name] + Self.words(flags, and: settings.extraArguments[name] ?? [:], release)).map(JSON.string))
    }

    // MARK: Pods

    /// What a probe asks, and where.
    private struct Probe {
        let paths: (live: String, ready: String?, start: String)
        let port: Int
        let host: String
        var isPlain = false
    }

    private func pod(
        _ name: String, _ image: String, _ flags: [String: String], requests: [String: String],
        mounts: [(name: String, path: String, isOwn: Bool)],
        _ probe: Probe, annotations: [String: String] = [:]
    ) -> JSON {
        let extra = settings.extraVolumes[name] ?? []
        var container: JSON = [
            "name": .string(name), "image": .string(image), "imagePullPolicy": "IfNotPresent", "command": command(name, flags),
            "resources": ["requests": JSON(requests)],
            "volumeMounts": .array(
                mounts.map { ["name": .string($0.name), "mountPath": .string($0.path), "readOnly": $0.isOwn ? .null : true] }
                    + extra.map { ["name": $0["name"], "mountPath": $0["mountPath"], "readOnly": $0["readOnly"]] }),
        ]
        if let variables = settings.extraVariables[name], !variables.isEmpty { container["env"] = .array(variables) }
        func ask(_ path: String, _ failures: Int, delay: Int?, period: Int, timeout: Int = 15) -> JSON {
            [
                "httpGet": [
                    "host": .string(probe.host), "path": .string(path),
                    "port": release.isOld ? .int(probe.port) : "probe-port", "scheme": probe.isPlain ? "HTTP" : "HTTPS",
                ],
                "initialDelaySeconds": JSON(delay), "periodSeconds": .int(period), "timeoutSeconds": .int(timeout),
                "failureThreshold": .int(failures),
            ]
        }
        container["livenessProbe"] = ask(probe.paths.live, 8, delay: 10, period: 10)
        if let ready = probe.paths.ready { container["readinessProbe"] = ask(ready, 3, delay: nil, period: 1) }
        container["startupProbe"] = ask(probe.paths.start, 24, delay: 10, period: 10)
        if !release.isOld {
            container["ports"] = [["name": "probe-port", "containerPort": .int(probe.port), "protocol": "TCP"]]
        }
        return [
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": .string(name), "namespace": "kube-system", "labels": ["component": .string(name), "tier": "control-plane"],
                "annotations": annotations.isEmpty ? .null : JSON(annotations),
            ],
            "spec": [
                "hostNetwork": true, "priorityClassName": "system-node-critical", "priority": release.isOld ? .null : 2_000_001_000,
                "securityContext": release.isOld ? .null : ["seccompProfile": ["type": "RuntimeDefault"]],
                "containers": [container],
                "volumes": .array(
                    mounts.map { mount in
                        let isFile = mount.path.hasSuffix(".conf")
                        return [
                            "name": .string(mount.name),
                            "hostPath": ["path": .string(mount.path), "type": isFile ? "FileOrCreate" : "DirectoryOrCreate"],
                        ]
                    } + extra.map { ["name": $0["name"], "hostPath": ["path": $0["hostPath"], "type": $0["pathType"]]] }),
            ],
        ]
    }

    private static let certificates = (name: "ca-certs", path: "/etc/ssl/certs", isOwn: false)

    private var apiServer: JSON {
        let isOld = release.isOld
        return pod(
            "kube-apiserver", release.image("kube-apiserver", in: settings.repository), apiServerFlags, requests: ["cpu": "250m"],
            mounts: [Self.certificates, ("k8s-certs", pki, false)],
            Probe(paths: ("/livez", "/readyz", "/livez"), port: settings.bindPort, host: address),
            annotations: isOld && release.version.minor < 18
                ? [:] : ["kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint": settings.advertised])
    }

    private var controllerManager: JSON {
        pod(
            "kube-controller-manager", release.image("kube-controller-manager", in: settings.repository), controllerManagerFlags,
            requests: ["cpu": "200m"],
            mounts: [
                Self.certificates, ("k8s-certs", pki, false), ("kubeconfig", "/etc/kubernetes/controller-manager.conf", false),
            ], Probe(paths: ("/healthz", nil, "/healthz"), port: 10257, host: "127.0.0.1"))
    }

    private var scheduler: JSON {
        pod(
            "kube-scheduler", release.image("kube-scheduler", in: settings.repository), schedulerFlags, requests: ["cpu": "100m"],
            mounts: [("kubeconfig", "/etc/kubernetes/scheduler.conf", false)],
            Probe(
                paths: release.isOld ? ("/healthz", nil, "/healthz") : ("/livez", "/readyz", "/livez"), port: 10259, host: "127.0.0.1"))
    }

    private var etcd: JSON {
        pod(
            "etcd", settings.etcdImageName, etcdFlags,
            requests: ["cpu": "100m", "memory": "100Mi"].merging(release.isOld ? ["ephemeral-storage": "100Mi"] : [:]) { $1 },
            mounts: [("etcd-data", settings.etcdFolder, true), ("etcd-certs", "\(pki)/etcd", true)],
            Probe(
                paths: release.isOld ? ("/health", nil, "/health") : ("/livez", "/readyz", "/readyz"), port: 2381, host: "127.0.0.1",
                isPlain: true),
            annotations: ["kubeadm.kubernetes.io/etcd.advertise-client-urls": "https://\(host):2379"])
    }
}
