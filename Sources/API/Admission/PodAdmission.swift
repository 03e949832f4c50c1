import Model
import Store

/// What the API server's admission plugins make of a new pod: ServiceAccount, LimitRanger, Priority, DefaultTolerationSeconds.
struct PodAdmission {
    let store: ObjectStore
    let credentials: (any Credentials)?

    private static let tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount"

    func admit(_ pod: inout JSON) async throws {
        let namespace = pod["metadata"]["namespace"].string ?? "default", name = pod["metadata"]["name"].string ?? ""
        try await prioritise(&pod, name)
        try await chooseRuntime(&pod, name)
        tolerate(&pod)
        try await serveAccount(&pod, namespace, name)
        let ranges = try await store.list(.limitRanges, namespace: namespace).items.map { $0["spec"]["limits"].items }
        for limit in ranges.joined() { LimitRangeAdmission.complete(&pod, limit) }
        for limits in ranges {
            let complaints = limits.flatMap { LimitRangeAdmission.complaints(pod, $0) }
            if complaints.isEmpty { continue }
            throw StatusError.forbidden(
                .pods, name, complaints.count == 1 ? complaints[0] : "[\(complaints.joined(separator: ", "))]")
        }
        PodRules.setQoS(&pod)
    }

    /// The priority of the pod's class, or of the one that is the default.
    private func prioritise(_ pod: inout JSON, _ name: String) async throws {
        var chosen: JSON?
        if let wish = pod["spec"]["priorityClassName"].string, !wish.isEmpty {
            chosen = try await store.get(.priorityClasses, ObjectKey("", wish))
            if chosen == nil { throw StatusError.forbidden(.pods, name, "no PriorityClass with name \(wish) was found") }
        } else {
            chosen = try await store.list(.priorityClasses).items.filter { $0["globalDefault"].bool == true }.min {
                ($0["value"].int ?? 0) < ($1["value"].int ?? 0)
            }
            if let chosen { pod["spec"]["priorityClassName"] = chosen["metadata"]["name"] }
        }
        let priority = chosen?["value"].int ?? 0
        if let given = pod["spec"]["priority"].int, given != priority {
            throw StatusError.forbidden(
                .pods, name,
                "the integer value of priority (\(given)) must not be provided in pod spec; priority admission controller computed \(priority) from the given PriorityClass name"
            )
        }
        pod["spec"]["priority"] = .int(priority)
        let preemption = chosen?["preemptionPolicy"].string ?? "PreemptLowerPriority"
        if let given = pod["spec"]["preemptionPolicy"].string, given != preemption {
            throw StatusError.forbidden(
                .pods, name,
                "the string value of PreemptionPolicy (\(given)) must not be provided in pod spec; priority admission controller computed \(preemption) from the given PriorityClass name"
            )
        }
        pod["spec"]["preemptionPolicy"] = .string(preemption)
    }

    /// What a RuntimeClass adds to the pods that name it. (kubernetes.io/docs/concepts/containers/runtime-class)
    private func chooseRuntime(_ pod: inout JSON, _ name: String) async throws {
        guard let wish = pod["spec"]["runtimeClassName"].string, !wish.isEmpty else {
            if !pod["spec"]["overhead"].isNull {
                throw StatusError.forbidden(
                    .pods, name, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")
            }
            return
        }
        guard let chosen = try await store.get(.runtimeClasses, ObjectKey("", wish)) else {
            throw StatusError.forbidden(.pods, name, "pod rejected: RuntimeClass \"\(wish)\" not found")
        }
        let overhead = chosen["overhead"]["podFixed"]
        if !pod["spec"]["overhead"].isNull, pod["spec"]["overhead"] != overhead {
            throw StatusError.forbidden(.pods, name, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
        }
        pod["spec"]["overhead"] = overhead
        for (label, value) in chosen["scheduling"]["nodeSelector"].stringMap {
            if let own = pod["spec"]["nodeSelector"][label].string, own != value {
                throw StatusError.forbidden(
                    .pods, name,
                    "conflict: runtimeClass.scheduling.nodeSelector[\(label)] = \(value); pod.spec.nodeSelector[\(label)] = \(own)"
                )
            }
            pod["spec"]["nodeSelector"][label] = .string(value)
        }
        let tolerations = pod["spec"]["tolerations"].items
        let more = chosen["scheduling"]["tolerations"].items.filter { !tolerations.contains($0) }
        if !more.isEmpty { pod["spec"]["tolerations"] = .array(tolerations + more) }
    }

    /// Five minutes on a node that is not ready or not reached.
    private func tolerate(_ pod: inout JSON) {
        var tolerations = pod["spec"]["tolerations"].items
        for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
            let isTolerated = tolerations.contains {
                ($0["key"].string == key || $0["key"].isNull && $0["operator"].string == "Exists")
                    && [nil, "", "NoExecute"].contains($0["effect"].string)
            }
            if isTolerated { continue }
            tolerations.append(["key": .string(key), "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300])
        }
        pod["spec"]["tolerations"] = .array(tolerations)
    }

    /// What a pod that a node made of a file cannot have, for the node cannot ask for it.
    /// (k8s.io/kubernetes/plugin/pkg/admission/serviceaccount)
    private func checkMirror(_ spec: JSON, _ name: String) throws {
        let volumes = spec["volumes"].items.flatMap { [$0] + $0["projected"]["sources"].items }
        let containers = ["initContainers", "containers", "ephemeralContainers"].flatMap { spec[$0].items }
        let namesSecret =
            volumes.contains { !$0["secret"].isNull } || !spec["imagePullSecrets"].items.isEmpty
            || containers.contains { container in
                container["env"].items.contains { !$0["valueFrom"]["secretKeyRef"].isNull }
                    || container["envFrom"].items.contains { !$0["secretRef"].isNull }
            }
        for (problem, isThere) in [
            ("reference service accounts", !(spec["serviceAccountName"].string ?? "").isEmpty), ("reference secrets", namesSecret),
            ("use service account token volume projections", volumes.contains { !$0["serviceAccountToken"].isNull }),
        ] where isThere {
            throw StatusError.forbidden(.pods, name, "a mirror pod may not \(problem)")
        }
    }

    private func serveAccount(_ pod: inout JSON, _ namespace: String, _ name: String) async throws {
        if !pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].isNull { return try checkMirror(pod["spec"], name) }
        let account = pod["spec"]["serviceAccountName"].string ?? pod["spec"]["serviceAccount"].string ?? "default"
        pod["spec"]["serviceAccountName"] = .string(account)
        pod["spec"]["serviceAccount"] = .string(account)
        guard credentials != nil else { return }
        guard let held = try await store.get(.serviceAccounts, ObjectKey(namespace, account)) else {
            throw StatusError.forbidden(
                .pods, name, "error looking up service account \(namespace)/\(account): serviceaccount \"\(account)\" not found"
            )
        }
        if pod["spec"]["imagePullSecrets"].items.isEmpty { pod["spec"]["imagePullSecrets"] = held["imagePullSecrets"] }
        guard pod["spec"]["automountServiceAccountToken"].bool ?? held["automountServiceAccountToken"].bool ?? true else { return }
        let volume = "kube-api-access-\(ShortHash.nameSuffix())"
        var isNeeded = false
        for list in ["initContainers", "containers"] {
            guard var containers = pod["spec"][list].array else { continue }
            for index in containers.indices
            where !containers[index]["volumeMounts"].items.contains(where: { $0["mountPath"].string == Self.tokenPath }) {
                isNeeded = true
                containers[index]["volumeMounts"] = .array(
                    containers[index]["volumeMounts"].items + [
                        ["name": .string(volume), "mountPath": .string(Self.tokenPath), "readOnly": true]
                    ])
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
}
