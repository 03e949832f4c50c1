import Model
import Store

/// Holds pods to what their namespace's labels allow: pods are refused, what makes pods is warned of.
/// (kubernetes.io/docs/concepts/security/pod-security-admission)
struct PodSecurityAdmission {
    let store: ObjectStore

    /// Warnings about a pod that is to be stored; throws when its namespace enforces what it violates. `old` on an update.
    func review(pod: JSON, old: JSON?) async throws -> [String] {
        if let old, !Self.isSignificant(pod, old) { return [] }
        let labels = try await labels(of: pod), violations = PodSecurityViolation.all(in: pod, against: labels.enforce)
        if !violations.isEmpty {
            throw StatusError.forbidden(
                .pods, pod["metadata"]["name"].string ?? "", "violates PodSecurity \"\(labels.enforce)\": \(Self.list(violations))")
        }
        return Self.warnings(pod, labels)
    }

    /// Warnings about the pods that an object with this template would make.
    func review(template: JSON, of object: JSON) async throws -> [String] {
        guard !template.isNull else { return [] }
        return Self.warnings(template, try await labels(of: object))
    }

    /// Warnings about pods that are there already and violate what the namespace is to enforce; throws when its labels say nothing.
    func review(namespace: JSON, old: JSON?) async throws -> [String] {
        let name = namespace["metadata"]["name"].string ?? ""
        let new = Self.labels(namespace), before = old.map(Self.labels)
        if !new.causes.isEmpty, new.causes != before?.causes { throw StatusError.invalid(.namespaces, name, new.causes) }
        guard let before, new.enforce != before.enforce, new.enforce.level > .privileged else { return [] }
        if new.enforce.minor == before.enforce.minor, new.enforce.level <= before.enforce.level { return [] }
        var pods: [String: [String]] = [:]
        for pod in try await store.list(.pods, namespace: name).items {
            let reasons = PodSecurityViolation.all(in: pod, against: new.enforce).map(\.reason).joined(separator: ", ")
            if !reasons.isEmpty { pods[reasons, default: []].append(pod["metadata"]["name"].string ?? "") }
        }
        guard !pods.isEmpty else { return [] }
        let lines = pods.map { reasons, names in
            let others = names.count == 1 ? "" : names.count == 2 ? " (and 1 other pod)" : " (and \(names.count - 1) other pods)"
            return "\(names.min() ?? "")\(others): \(reasons)"
        }
        return ["existing pods in namespace \"\(name)\" violate the new PodSecurity enforce level \"\(new.enforce)\""] + lines.sorted()
    }

    private func labels(of object: JSON) async throws -> NamespacePodSecurity {
        let name = object["metadata"]["namespace"].string ?? "default"
        return Self.labels(try await store.get(.namespaces, ObjectKey("", name)) ?? .null)
    }

    private static func labels(_ namespace: JSON) -> NamespacePodSecurity {
        NamespacePodSecurity(labels: namespace["metadata"]["labels"].stringMap)
    }

    private static func warnings(_ pod: JSON, _ labels: NamespacePodSecurity) -> [String] {
        let violations = PodSecurityViolation.all(in: pod, against: labels.warn)
        return violations.isEmpty ? [] : ["would violate PodSecurity \"\(labels.warn)\": \(list(violations))"]
    }

    private static func list(_ violations: [PodSecurityViolation]) -> String { violations.map(\.description).joined(separator: ", ") }

    /// Another image may be another program: everything else that an update can change is the same to the checks.
    private static func isSignificant(_ pod: JSON, _ old: JSON) -> Bool {
        ["initContainers", "containers", "ephemeralContainers"].contains { list in
            let (new, before) = (pod["spec"][list].items, old["spec"][list].items)
            return new.count != before.count || zip(new, before).contains { $0["image"] != $1["image"] }
        }
    }
}
