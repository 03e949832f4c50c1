import Model
import Store

/// What the API server's admission plugins make of a new pod: ServiceAccount, LimitRanger, Priority, DefaultTolerationSeconds.
struct PodAdmission {
    let store: ObjectStore
    let credentials: (any Credentials)?

    private static let tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount"

    func admit(_ pod: inout JSON) async throws {
        let namespace = pod["metadata"]["namespace"].string ?? "default", name = pod["metadata"]["name"].string ?? ""
        if pod["spec"]["enableServiceLinks"].isNull { pod["spec"]["enableServiceLinks"] = true }
        if pod["spec"]["priority"].isNull { pod["spec"]["priority"] = 0 }
        if pod["spec"]["preemptionPolicy"].isNull { pod["spec"]["preemptionPolicy"] = "PreemptLowerPriority" }
        tolerate(&pod)
        try await serveAccount(&pod, namespace, name)
        for range in await store.list(.limitRanges, namespace: namespace).items {
            for limit in range["spec"]["limits"].items { try apply(limit, to: &pod, name) }
        }
        PodRules.setQoS(&pod)
    }

    /// Five minutes on a node that is not ready or not reached.
    private func tolerate(_ pod: inout JSON) {
        var tolerations = pod["spec"]["tolerations"].items
        for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
            let isTolerated = tolerations.contains {
                ($0["key"].string == key || $0["key"].isNull && $0["operator"].string == "Exists") && [nil, "", "NoExecute"].contains($0["effect"].string)
            }
            if isTolerated { continue }
            tolerations.append(["key": .string(key), "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300])
        }
        pod["spec"]["tolerations"] = .array(tolerations)
    }

    private func serveAccount(_ pod: inout JSON, _ namespace: String, _ name: String) async throws {
        let account = pod["spec"]["serviceAccountName"].string ?? pod["spec"]["serviceAccount"].string ?? "default"
        pod["spec"]["serviceAccountName"] = .string(account)
        pod["spec"]["serviceAccount"] = .string(account)
        guard credentials != nil else { return }
        guard let held = await store.get(.serviceAccounts, ObjectKey(namespace, account)) else {
            throw StatusError.forbidden(
                "pods \"\(name)\" is forbidden: error looking up service account \(namespace)/\(account): serviceaccount \"\(account)\" not found")
        }
        if pod["spec"]["imagePullSecrets"].isNull { pod["spec"]["imagePullSecrets"] = held["imagePullSecrets"] }
        guard pod["spec"]["automountServiceAccountToken"].bool ?? held["automountServiceAccountToken"].bool ?? true else { return }
        let volume = "kube-api-access-\(ShortHash.nameSuffix())"
        var isNeeded = false
        for list in ["initContainers", "containers"] {
            guard var containers = pod["spec"][list].array else { continue }
            for index in containers.indices where !containers[index]["volumeMounts"].items.contains(where: { $0["mountPath"].string == Self.tokenPath }) {
                isNeeded = true
                containers[index]["volumeMounts"] = .array(
                    containers[index]["volumeMounts"].items + [["name": .string(volume), "mountPath": .string(Self.tokenPath), "readOnly": true]])
            }
            pod["spec"][list] = .array(containers)
        }
        guard isNeeded else { return }
        let projected: JSON = [
            "defaultMode": 420,
            "sources": [
                ["serviceAccountToken": ["expirationSeconds": 3607, "path": "token"]],
                ["configMap": ["name": "kube-root-ca.crt", "items": [["key": "ca.crt", "path": "ca.crt"]]]],
                ["downwardAPI": ["items": [["path": "namespace", "fieldRef": ["apiVersion": "v1", "fieldPath": "metadata.namespace"]]]]],
            ],
        ]
        pod["spec"]["volumes"] = .array(pod["spec"]["volumes"].items + [["name": .string(volume), "projected": projected]])
    }

    /// A LimitRange's defaults, then its bounds.
    private func apply(_ limit: JSON, to pod: inout JSON, _ name: String) throws {
        guard limit["type"].string == "Container" else { return }
        var complaints: [String] = []
        for list in ["initContainers", "containers"] {
            guard var containers = pod["spec"][list].array else { continue }
            for index in containers.indices {
                for (source, half) in [("defaultRequest", "requests"), ("default", "limits")] {
                    for (resource, value) in limit[source].stringMap {
                        // A limit that is given serves as the request as well.
                        if half == "requests", let own = containers[index]["resources"]["limits"][resource].string {
                            if containers[index]["resources"]["requests"][resource].isNull { containers[index]["resources"]["requests"][resource] = .string(own) }
                            continue
                        }
                        if containers[index]["resources"][half][resource].isNull { containers[index]["resources"][half][resource] = .string(value) }
                    }
                }
                for (bound, half, words) in [("max", "limits", "maximum"), ("min", "requests", "minimum")] {
                    for (resource, text) in limit[bound].stringMap.sorted(by: { $0.key < $1.key }) {
                        guard let edge = Quantity(text) else { continue }
                        guard let own = containers[index]["resources"][half][resource].string.flatMap({ Quantity($0) }) else {
                            complaints.append("\(words) \(resource) usage per Container is \(text).  No \(half.dropLast()) is specified")
                            continue
                        }
                        if bound == "max" ? own > edge : own < edge {
                            complaints.append("\(words) \(resource) usage per Container is \(text), but \(half.dropLast()) is \(own)")
                        }
                    }
                }
            }
            pod["spec"][list] = .array(containers)
        }
        guard !complaints.isEmpty else { return }
        let list = complaints.count == 1 ? complaints[0] : "[\(complaints.joined(separator: ", "))]"
        throw StatusError.forbidden("pods \"\(name)\" is forbidden: \(list)")
    }
}
