import Model

/// What of a pod's spec may still change. (k8s.io/kubernetes/pkg/apis/core/validation, ValidatePodUpdate)
struct PodUpdateValidation {
    private let spec: JSON
    private let old: JSON
    private let placesPods: Bool
    private var causes: [StatusError.Cause] = []

    /// `placesPods`: the writer may give a pod its node.
    static func validate(_ pod: JSON, old: JSON, placesPods: Bool) -> [StatusError.Cause] {
        var validation = PodUpdateValidation(spec: pod["spec"], old: old["spec"], placesPods: placesPods)
        validation.run()
        return validation.causes
    }

    private init(spec: JSON, old: JSON, placesPods: Bool) {
        self.placesPods = placesPods
        self.spec = spec
        self.old = old
    }

    private mutating func run() {
        for list in ["containers", "initContainers"] {
            guard spec[list].items.count == old[list].items.count else {
                causes.append(.forbidden("spec.\(list)", "pod updates may not add or remove containers"))
                return
            }
            for (index, container) in spec[list].items.enumerated() where (container["image"].string ?? "").isEmpty {
                causes.append(.required("spec.\(list)[\(index)].image"))
            }
        }
        checkEphemeralContainers()
        checkDeadline()
        checkTolerations()
        checkGates()
        let isGated = !old["schedulingGates"].items.isEmpty
        if isGated { checkPlacement() }
        guard causes.isEmpty, frozen(spec, isGated: isGated) != frozen(old, isGated: isGated) else { return }
        causes.append(
            .forbidden(
                "spec",
                "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
            ))
    }

    /// What no update changes.
    private func frozen(_ spec: JSON, isGated: Bool) -> JSON {
        var spec = spec
        for list in ["containers", "initContainers"] {
            guard var containers = spec[list].array else { continue }
            for index in containers.indices { containers[index]["image"] = .null }
            spec[list] = .array(containers)
        }
        for field in ["tolerations", "activeDeadlineSeconds", "ephemeralContainers", "schedulingGates"] { spec[field] = .null }
        // A pod without a node is given one; after that it stays.
        if placesPods, old["nodeName"].isNull { spec["nodeName"] = .null }
        if isGated {
            spec["nodeSelector"] = .null
            if spec["affinity"]["nodeAffinity"].object != nil { spec["affinity"]["nodeAffinity"] = .null }
            if spec["affinity"].object?.isEmpty ?? false { spec["affinity"] = .null }
        }
        if let grace = old["terminationGracePeriodSeconds"].int, grace < 0, self.spec["terminationGracePeriodSeconds"].int == 1 {
            spec["terminationGracePeriodSeconds"] = 1
        }
        return spec
    }

    private mutating func checkEphemeralContainers() {
        guard spec["ephemeralContainers"] != old["ephemeralContainers"] else { return }
        causes.append(.forbidden("spec.ephemeralContainers", "cannot be changed by an update; use the ephemeralcontainers subresource"))
    }

    /// A deadline may be set and brought forward.
    private mutating func checkDeadline() {
        let path = "spec.activeDeadlineSeconds"
        guard let before = old["activeDeadlineSeconds"].int else { return }
        guard let now = spec["activeDeadlineSeconds"].int else {
            causes.append(.invalid(path, .null, "must not update from a positive integer to nil value"))
            return
        }
        if now > before { causes.append(.invalid(path, .int(now), "must be less than or equal to previous value")) }
    }

    /// Tolerations are added, and last longer or shorter.
    private mutating func checkTolerations() {
        func withoutTime(_ tolerations: JSON) -> [JSON] {
            tolerations.items.map {
                var toleration = $0
                toleration["tolerationSeconds"] = .null
                return toleration
            }
        }
        causes += TolerationValidation.validate(spec["tolerations"], "spec.tolerations")
        let kept = Set(withoutTime(spec["tolerations"]))
        if withoutTime(old["tolerations"]).allSatisfy(kept.contains) { return }
        causes.append(.forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds"))
    }

    private mutating func checkGates() {
        let had = Set(old["schedulingGates"].items.map { $0["name"] })
        for (index, gate) in spec["schedulingGates"].items.enumerated() where !had.contains(gate["name"]) {
            let name = gate["name"].string ?? ""
            causes.append(
                .forbidden("spec.schedulingGates[\(index)].name", "only deletion is allowed, but found new scheduling gate '\(name)'"))
        }
    }

    /// As long as it is gated, a pod may be told more of where it has to go, and nothing less.
    private mutating func checkPlacement() {
        let selector = spec["nodeSelector"].stringMap
        if !old["nodeSelector"].stringMap.allSatisfy({ selector[$0.key] == $0.value }) {
            causes.append(
                .invalid(
                    "spec.nodeSelector", spec["nodeSelector"], "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
                ))
        }
        let path = "requiredDuringSchedulingIgnoredDuringExecution", here = "spec.affinity.nodeAffinity.\(path).nodeSelectorTerms"
        let before = old["affinity"]["nodeAffinity"][path]["nodeSelectorTerms"].items
        if before.isEmpty { return }
        let now = spec["affinity"]["nodeAffinity"][path]["nodeSelectorTerms"]
        guard before.count == now.items.count else {
            causes.append(.invalid(here, now, "no additions/deletions to non-empty NodeSelectorTerms list are allowed"))
            return
        }
        for (index, term) in before.enumerated() {
            for list in ["matchExpressions", "matchFields"] {
                let wanted = now.items[index][list].items, given = term[list].items
                if wanted.count >= given.count, Array(wanted.prefix(given.count)) == given { continue }
                causes.append(
                    .invalid("\(here)[\(index)]", now.items[index], "only additions are allowed (no mutations or deletions)"))
            }
        }
    }
}
