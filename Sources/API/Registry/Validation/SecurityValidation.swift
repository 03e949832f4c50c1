import Model

/// The security contexts of a pod and its containers. (k8s.io/kubernetes/pkg/apis/core/validation, ValidateSecurityContext and its parts)
enum SecurityValidation {
    private typealias Cause = StatusError.Cause

    /// What both kinds of context have.
    static func context(_ context: JSON, _ path: String, ids: [String]) -> [StatusError.Cause] {
        ids.flatMap { field -> [Cause] in
            guard let id = context[field].int, !(0...Int(Int32.max)).contains(id) else { return [] }
            return [.invalid("\(path).\(field)", .int(id), "must be between 0 and 2147483647, inclusive")]
        } + seccomp(context["seccompProfile"], "\(path).seccompProfile") + appArmor(context["appArmorProfile"], "\(path).appArmorProfile")
    }

    private static func seccomp(_ profile: JSON, _ path: String) -> [Cause] {
        guard !profile.isNull else { return [] }
        var causes: [Cause] = []
        let type = profile["type"].string ?? "", place = profile["localhostProfile"]
        if type == "Localhost" {
            if let text = place.string {
                if text.hasPrefix("/") { causes.append(.invalid("\(path).localhostProfile", place, "must be a relative path")) }
                if text.split(separator: "/").contains("..") {
                    causes.append(.invalid("\(path).localhostProfile", place, "must not contain '..'"))
                }
            } else {
                causes.append(.required("\(path).localhostProfile", "must be set when seccomp type is Localhost"))
            }
        } else if !place.isNull {
            causes.append(.invalid("\(path).localhostProfile", profile, "can only be set when seccomp type is Localhost"))
        }
        if type.isEmpty { causes.append(.required("\(path).type", "type is required when seccompProfile is set")) }
        return causes
    }

    private static func appArmor(_ profile: JSON, _ path: String) -> [Cause] {
        guard !profile.isNull else { return [] }
        let type = profile["type"].string ?? "", place = profile["localhostProfile"], field = "\(path).localhostProfile"
        guard type == "Localhost" else {
            return place.isNull ? [] : [.invalid(field, place, "can only be set when AppArmor type is Localhost")]
        }
        guard let text = place.string else { return [.required(field, "must be set when AppArmor type is Localhost")] }
        if text.trimmed != text { return [.invalid(field, place, "must not be padded with whitespace")] }
        return text.isEmpty ? [.required(field, "must be set when AppArmor type is Localhost")] : []
    }

    /// What a pod's spec says beside its context, where the two do not go together.
    static func pod(_ spec: JSON, _ path: String) -> [StatusError.Cause] {
        let context = spec["securityContext"], here = "\(path).securityContext"
        var causes = Self.context(context, here, ids: ["runAsUser", "runAsGroup", "fsGroup"])
        causes += sysctls(context["sysctls"], spec, "\(here).sysctls")
        for (index, group) in context["supplementalGroups"].items.enumerated() {
            guard let id = group.int, !(0...Int(Int32.max)).contains(id) else { continue }
            causes.append(.invalid("\(here).supplementalGroups[\(index)]", group, "must be between 0 and 2147483647, inclusive"))
        }
        if spec["shareProcessNamespace"].bool == true, spec["hostPID"].bool == true {
            causes.append(
                .invalid("\(here).shareProcessNamespace", true, "ShareProcessNamespace and HostPID cannot both be enabled"))
        }
        guard spec["hostUsers"].bool == false else { return causes + unmasked(spec, path) }
        for (field, name) in [("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")]
        where spec[field].bool == true {
            causes.append(.forbidden("\(path).\(name)", "when `hostUsers` is false"))
        }
        return causes
    }

    /// All of /proc is shown to those alone whose users are none of the host's.
    private static func unmasked(_ spec: JSON, _ path: String) -> [Cause] {
        ["containers", "initContainers"].flatMap { list in
            spec[list].items.enumerated().filter { $1["securityContext"]["procMount"] == "Unmasked" }.map { index, _ in
                .invalid(
                    "\(path).\(list)[\(index)].securityContext.procMount", "Unmasked", "`hostUsers` must be false to use `Unmasked`")
            }
        }
    }

    private static func sysctls(_ list: JSON, _ spec: JSON, _ path: String) -> [Cause] {
        var names: Set<String> = []
        return list.items.enumerated().flatMap { index, sysctl -> [Cause] in
            let name = sysctl["name"].string ?? "", field = "\(path)[\(index)].name", dotted = name.replacing("/", with: ".")
            let pattern = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[.\/])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/
            var causes: [Cause] = []
            if name.isEmpty {
                causes.append(.required(field))
            } else if name.utf8.count > 253 || name.wholeMatch(of: pattern) == nil {
                causes.append(
                    .invalid(
                        field, .string(name),
                        "must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
                    ))
            } else if !names.insert(name).inserted {
                causes.append(.duplicate(field, .string(name)))
            }
            // The settings of a namespace that the pod shares with its node are the node's.
            let isNetworks = dotted.hasPrefix("net.")
            let isIPCs =
                dotted.hasPrefix("kernel.shm") || dotted.hasPrefix("kernel.msg") || dotted == "kernel.sem"
                || dotted.hasPrefix("fs.mqueue.")
            if isNetworks, spec["hostNetwork"].bool == true {
                causes.append(.invalid(field, .string(name), "may not be specified when 'hostNetwork' is true"))
            }
            if isIPCs, spec["hostIPC"].bool == true {
                causes.append(.invalid(field, .string(name), "may not be specified when 'hostIPC' is true"))
            }
            return causes
        }
    }
}
