import Model

/// A container's probe as its spec says it (core/v1 Probe): what is done, how often, and how many answers count.
package struct Probe: Sendable, Hashable {
    package enum Kind: String, Sendable, CaseIterable {
        case startup, readiness, liveness
        /// As events begin with it.
        package var title: String { rawValue.prefix(1).uppercased() + rawValue.dropFirst() }
    }

    package enum Action: Sendable, Hashable {
        case httpGet(scheme: String, host: String?, port: JSON, path: String, headers: [String: String])
        case tcpSocket(host: String?, port: JSON)
        case exec([String])
        /// gRPC's health checking protocol: the service asked after.
        case grpc(port: JSON, service: String)

        /// Reads what probes and life-cycle hooks have in common.
        package init(_ spec: JSON) {
            let http = spec["httpGet"], tcp = spec["tcpSocket"]
            if !http.isNull {
                let headers = http["httpHeaders"].items.compactMap { header in
                    header["name"].string.map { ($0, header["value"].string ?? "") }
                }
                let path = http["path"].string ?? "/"
                self = .httpGet(
                    scheme: http["scheme"].string ?? "HTTP", host: http["host"].string, port: http["port"],
                    path: path.hasPrefix("/") ? path : "/\(path)",
                    headers: Dictionary(headers, uniquingKeysWith: { $1 }))
            } else if !tcp.isNull {
                self = .tcpSocket(host: tcp["host"].string, port: tcp["port"])
            } else if !spec["grpc"].isNull {
                self = .grpc(port: spec["grpc"]["port"], service: spec["grpc"]["service"].string ?? "")
            } else {
                self = .exec(spec["exec"]["command"].items.compactMap(\.string))
            }
        }
    }

    package let kind: Kind
    package let action: Action
    package let initialDelay: Int
    package let timeout: Int
    package let period: Int
    package let successThreshold: Int
    package let failureThreshold: Int
    /// Seconds for a container that the probe gives up on; nil: the pod's own.
    package let terminationGracePeriod: Int?

    /// nil when the container has no such probe.
    package init?(_ kind: Kind, of container: Container) {
        let spec = container.json["\(kind.rawValue)Probe"]
        guard !spec.isNull else { return nil }
        self.kind = kind
        initialDelay = spec["initialDelaySeconds"].int ?? 0
        timeout = max(1, spec["timeoutSeconds"].int ?? 1)
        period = max(1, spec["periodSeconds"].int ?? 10)
        successThreshold = max(1, spec["successThreshold"].int ?? 1)
        failureThreshold = max(1, spec["failureThreshold"].int ?? 3)
        terminationGracePeriod = spec["terminationGracePeriodSeconds"].int
        action = Action(spec)
    }

    /// The number behind a port that may be a name of one of the container's ports.
    package static func port(_ port: JSON, of container: Container) -> UInt16? {
        let number = port.int ?? port.string.flatMap { Int($0) ?? container.port(named: $0, protocol: "TCP") }
        return number.flatMap { UInt16(exactly: $0) }
    }
}

/// How many answers of one kind came in a row, and what they amount to.
package struct ProbeTally: Sendable {
    private let probe: Probe
    private var last: Bool?
    private var run = 0

    package init(_ probe: Probe) { self.probe = probe }

    /// Notes one answer: what now holds of the container, nil while too few answers agree.
    package mutating func note(_ isSuccess: Bool) -> Bool? {
        run = last == isSuccess ? run + 1 : 1
        last = isSuccess
        return run >= (isSuccess ? probe.successThreshold : probe.failureThreshold) ? isSuccess : nil
    }
}
