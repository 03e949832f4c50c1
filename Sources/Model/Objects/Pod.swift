package struct Pod: Object {
    package static let resource = Resource.pods
    package var json: JSON
    package init(_ json: JSON) { self.json = json }

    package var nodeName: String? { spec["nodeName"].string }
    package var containers: [Container] { spec["containers"].items.map(Container.init) }
    package var initContainers: [Container] { spec["initContainers"].items.map(Container.init) }
    package var ephemeralContainers: [Container] { spec["ephemeralContainers"].items.map(Container.init) }
    package var allContainers: [Container] { initContainers + containers + ephemeralContainers }
    package var isHostNetwork: Bool { spec["hostNetwork"].bool ?? false }
    package var restartPolicy: String { spec["restartPolicy"].string ?? "Always" }
    package var terminationGracePeriod: Int {
        json["metadata"]["deletionGracePeriodSeconds"].int ?? spec["terminationGracePeriodSeconds"].int ?? 30
    }

    package var phase: String { status["phase"].string ?? "Pending" }
    package var ip: IPAddress? { status["podIP"].string.flatMap { IPAddress($0) } }
    /// One of each family that it has, the primary first.
    package var ips: [IPAddress] {
        let all = status["podIPs"].items
        // Whoever writes a status may leave the list out.
        return all.isEmpty ? ip.map { [$0] } ?? [] : all.compactMap { $0["ip"].string.flatMap { IPAddress($0) } }
    }

    package func ip(_ family: IPFamily) -> IPAddress? {
        if let ip, ip.family == family { return ip }
        return status["podIPs"].items.lazy.compactMap { $0["ip"].string.flatMap { IPAddress($0, family) } }.first
    }
    package var isReady: Bool { status["conditions"].condition("Ready") == "True" }
    /// Succeeded or Failed: nothing of it runs, and nothing of it will.
    package var isFinished: Bool { phase == "Succeeded" || phase == "Failed" }
    /// Counts for its owner: neither finished nor on its way out.
    package var isActive: Bool { !isFinished && !isBeingDeleted }
}

/// One entry of `spec.containers`.
package struct Container: Sendable, Hashable {
    package let json: JSON
    package init(_ json: JSON) { self.json = json }

    package var name: String { json["name"].string ?? "" }
    package var image: String { json["image"].string ?? "" }
    package var command: [String] { json["command"].items.compactMap(\.string) }
    package var args: [String] { json["args"].items.compactMap(\.string) }
    package var workingDir: String? { json["workingDir"].string }
    package var tty: Bool { json["tty"].bool ?? false }
    package var stdin: Bool { json["stdin"].bool ?? false }
    package var stdinOnce: Bool { json["stdinOnce"].bool ?? false }
    package var ports: [JSON] { json["ports"].items }
    package var volumeMounts: [JSON] { json["volumeMounts"].items }

    /// The number of the port called `name`, if this container names one.
    package func port(named name: String, protocol proto: String) -> Int? {
        ports.first { $0["name"].string == name && ($0["protocol"].string ?? "TCP") == proto }?["containerPort"].int
    }
}
