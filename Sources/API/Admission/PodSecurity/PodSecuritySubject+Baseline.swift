import Model

/// What every pod may be asked to do without. (kubernetes.io/docs/concepts/security/pod-security-standards, baseline)
extension PodSecuritySubject {
    func appArmor() -> PodSecurityViolation? {
        func isForbidden(_ context: JSON) -> Bool { Self.isUnconfined(context["appArmorProfile"]) }
        let names = names { isForbidden($1) }
        let values = Self.sorted(contexts.filter(isForbidden).map { $0["appArmorProfile"]["type"].string ?? "" })
        let marks = annotations.filter { key, value in
            key.hasPrefix("container.apparmor.security.beta.kubernetes.io/") && !value.isEmpty && value != "runtime/default"
                && !value.hasPrefix("localhost/")
        }.map { "\($0)=\"\($1)\"" }.sorted()
        var setters = setters(pod: isForbidden(context), names)
        if !marks.isEmpty { setters += (setters.isEmpty ? "" : " and ") + Self.plural("annotation", marks) }
        let all = values + marks
        return all.isEmpty
            ? nil
            : PodSecurityViolation(
                Self.plural("forbidden AppArmor profile", all), "\(setters) must not set AppArmor profile type to \(Self.quoted(all))")
    }

    private static let defaultCapabilities: Set = [
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP",
        "SETUID", "SYS_CHROOT",
    ]

    func addedCapabilities() -> PodSecurityViolation? {
        func added(_ context: JSON) -> [String] {
            context["capabilities"]["add"].items.compactMap(\.string).filter { !Self.defaultCapabilities.contains($0) }
        }
        let names = names { !added($1).isEmpty }
        guard !names.isEmpty else { return nil }
        let values = Self.sorted(containers.flatMap { added($0["securityContext"]) })
        return PodSecurityViolation(
            "non-default capabilities",
            "\(Self.containers(names)) must not include \(Self.quoted(values)) in securityContext.capabilities.add")
    }

    func hostNamespaces() -> PodSecurityViolation? {
        let shared = ["hostNetwork", "hostPID", "hostIPC"].filter { spec[$0].bool == true }
        return shared.isEmpty ? nil : PodSecurityViolation("host namespaces", shared.map { "\($0)=true" }.joined(separator: ", "))
    }

    func hostPaths() -> PodSecurityViolation? {
        let names = spec["volumes"].items.filter { !$0["hostPath"].isNull }.map { $0["name"].string ?? "" }
        return names.isEmpty ? nil : PodSecurityViolation("hostPath volumes", "\(Self.plural("volume", names)) \(Self.quoted(names))")
    }

    func hostPorts() -> PodSecurityViolation? {
        func ports(_ container: JSON) -> [String] {
            container["ports"].items.compactMap { $0["hostPort"].int }.filter { $0 != 0 }.map(String.init)
        }
        let names = names { container, _ in !ports(container).isEmpty }
        guard !names.isEmpty else { return nil }
        let values = Self.sorted(containers.flatMap(ports))
        let verb = names.count == 1 ? "uses" : "use"
        return PodSecurityViolation(
            "hostPort", "\(Self.containers(names)) \(verb) \(Self.plural("hostPort", values)) \(values.joined(separator: ", "))")
    }

    /// A probe or a hook that asks another host than the pod.
    func handlerHosts() -> PodSecurityViolation? {
        func hosts(_ container: JSON) -> [String] {
            let probes = ["livenessProbe", "readinessProbe", "startupProbe"].map { container[$0] }
            let hooks = ["postStart", "preStop"].map { container["lifecycle"][$0] }
            return (probes + hooks).flatMap { handler in
                ["httpGet", "tcpSocket"].compactMap { handler[$0]["host"].string }.filter { !$0.isEmpty }
            }
        }
        let names = Self.sorted(names { container, _ in !hosts(container).isEmpty })
        guard !names.isEmpty else { return nil }
        let values = Self.sorted(containers.flatMap(hosts)), reason = "probe or lifecycle host"
        return PodSecurityViolation(
            reason,
            "\(Self.containers(names)) \(names.count == 1 ? "uses" : "use") \(Self.plural(reason, values)) \(Self.quoted(values))")
    }

    func privileged() -> PodSecurityViolation? {
        let names = names { $1["privileged"].bool == true }
        return names.isEmpty
            ? nil : PodSecurityViolation("privileged", "\(Self.containers(names)) must not set securityContext.privileged=true")
    }

    func procMount() -> PodSecurityViolation? {
        func value(_ context: JSON) -> String? { context["procMount"].string.flatMap { $0 == "Default" ? nil : $0 } }
        let names = names { value($1) != nil }
        guard !names.isEmpty else { return nil }
        let values = Self.sorted(containers.compactMap { value($0["securityContext"]) })
        return PodSecurityViolation(
            "procMount", "\(Self.containers(names)) must not set securityContext.procMount to \(Self.quoted(values))")
    }

    func seLinux(_ standard: PodSecurityStandard) -> PodSecurityViolation? {
        var allowed: Set = ["", "container_t", "container_init_t", "container_kvm_t"]
        if standard.isSince(31) { allowed.insert("container_engine_t") }
        func isSet(_ field: String, _ context: JSON) -> Bool { !(context["seLinuxOptions"][field].string ?? "").isEmpty }
        func type(_ context: JSON) -> String? { (context["seLinuxOptions"]["type"].string).flatMap { allowed.contains($0) ? nil : $0 } }
        func isForbidden(_ context: JSON) -> Bool { type(context) != nil || isSet("user", context) || isSet("role", context) }
        guard contexts.contains(where: isForbidden) else { return nil }
        let types = Self.sorted(contexts.compactMap(type))
        var details = types.isEmpty ? [] : ["\(Self.plural("type", types)) \(Self.quoted(types))"]
        for field in ["user", "role"] where contexts.contains(where: { isSet(field, $0) }) { details.append("\(field) may not be set") }
        let setters = setters(pod: isForbidden(context), names { isForbidden($1) })
        return PodSecurityViolation(
            "seLinuxOptions", "\(setters) set forbidden securityContext.seLinuxOptions: \(details.joined(separator: "; "))")
    }

    func forbiddenSeccomp() -> PodSecurityViolation? {
        func isForbidden(_ context: JSON) -> Bool { Self.isUnconfined(context["seccompProfile"]) }
        let forbidden = contexts.filter(isForbidden)
        guard !forbidden.isEmpty else { return nil }
        let values = Self.sorted(forbidden.map { $0["seccompProfile"]["type"].string ?? "" })
        let setters = setters(pod: isForbidden(context), names { isForbidden($1) })
        return PodSecurityViolation(
            "seccompProfile", "\(setters) must not set securityContext.seccompProfile.type to \(Self.quoted(values))")
    }

    /// The release since which each is allowed. Those of 1.0 need not be asked for.
    private static let safeSysctls: [String: Int] = [
        "kernel.shm_rmid_forced": 0, "net.ipv4.ip_local_port_range": 0, "net.ipv4.tcp_syncookies": 0, "net.ipv4.ping_group_range": 0,
        "net.ipv4.ip_unprivileged_port_start": 0, "net.ipv4.ip_local_reserved_ports": 27, "net.ipv4.tcp_keepalive_time": 29,
        "net.ipv4.tcp_fin_timeout": 29, "net.ipv4.tcp_keepalive_intvl": 29, "net.ipv4.tcp_keepalive_probes": 29,
        "net.ipv4.tcp_rmem": 32, "net.ipv4.tcp_wmem": 32,
    ]

    func sysctls(_ standard: PodSecurityStandard) -> PodSecurityViolation? {
        let names = context["sysctls"].items.compactMap { $0["name"].string }.filter { name in
            Self.safeSysctls[name].map { !standard.isSince($0) } ?? true
        }
        return names.isEmpty ? nil : PodSecurityViolation("forbidden sysctls", names.joined(separator: ", "))
    }

    func hostProcess() -> PodSecurityViolation? {
        func isSet(_ context: JSON) -> Bool { context["windowsOptions"]["hostProcess"].bool == true }
        let setters = setters(pod: isSet(context), names { isSet($1) })
        return setters.isEmpty
            ? nil : PodSecurityViolation("hostProcess", "\(setters) must not set securityContext.windowsOptions.hostProcess=true")
    }
}
