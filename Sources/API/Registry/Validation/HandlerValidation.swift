import Model

/// What probes and lifecycle hooks of a container may say. (kubernetes pkg/apis/core/validation, validateProbe and validateHandler)
struct HandlerValidation {
    private typealias Cause = StatusError.Cause
    /// The pod's, in seconds: a hook does not sleep for longer.
    let gracePeriod: Int

    func causes(_ container: JSON, _ path: String) -> [StatusError.Cause] {
        ["livenessProbe", "readinessProbe", "startupProbe"].filter { !container[$0].isNull }.flatMap {
            probe(container[$0], $0, "\(path).\($0)")
        }
            + ["postStart", "preStop"].filter { !container["lifecycle"][$0].isNull }.flatMap {
                handler(container["lifecycle"][$0], ["exec", "httpGet", "tcpSocket", "sleep"], "\(path).lifecycle.\($0)")
            }
    }

    private func probe(_ probe: JSON, _ field: String, _ path: String) -> [Cause] {
        var causes = handler(probe, ["exec", "httpGet", "tcpSocket", "grpc"], path)
        for number in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
            if let value = probe[number].int, value < 0 {
                causes.append(.invalid("\(path).\(number)", .int(value), "must be greater than or equal to 0"))
            }
        }
        let grace = probe["terminationGracePeriodSeconds"]
        if let value = grace.int, value <= 0 {
            causes.append(.invalid("\(path).terminationGracePeriodSeconds", grace, "must be greater than 0"))
        }
        if field != "readinessProbe", let value = probe["successThreshold"].int, value != 1 {
            causes.append(.invalid("\(path).successThreshold", .int(value), "must be 1"))
        }
        if field == "readinessProbe", !grace.isNull {
            causes.append(.invalid("\(path).terminationGracePeriodSeconds", grace, "must not be set for readinessProbes"))
        }
        return causes
    }

    /// Exactly one of `kinds`, and that one in order.
    private func handler(_ handler: JSON, _ kinds: [String], _ path: String) -> [Cause] {
        let given = kinds.filter { !handler[$0].isNull }
        guard let first = given.first else { return [.required(path, "must specify a handler type")] }
        return action(handler[first], first, "\(path).\(first)")
            + given.dropFirst().prefix(1).map { .forbidden("\(path).\($0)", "may not specify more than 1 handler type") }
    }

    private func action(_ action: JSON, _ kind: String, _ path: String) -> [Cause] {
        switch kind {
        case "exec": return action["command"].items.isEmpty ? [.required("\(path).command")] : []
        case "httpGet":
            return port(action["port"], "\(path).port")
                + action["httpHeaders"].items.filter { !Self.isHeader($0["name"].string ?? "") }.map {
                    .invalid("\(path).httpHeaders", $0["name"], Self.headerMessage)
                }
        case "tcpSocket", "grpc": return port(action["port"], "\(path).port")
        default:
            let seconds = action["seconds"].int ?? 0
            if (0...gracePeriod).contains(seconds) { return [] }
            return [.invalid(path, .int(seconds), "must be non-negative and less than terminationGracePeriodSeconds (\(gracePeriod))")]
        }
    }

    private func port(_ port: JSON, _ path: String) -> [Cause] {
        if let name = port.string {
            return Names.each(path, name, Names.portNameComplaints(name))
        }
        let number = port.int ?? 0
        return (1...65535).contains(number) ? [] : [.invalid(path, .int(number), "must be between 1 and 65535, inclusive")]
    }

    private static let headerMessage =
        "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')"

    private static func isHeader(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.allSatisfy { $0 == UInt8(ascii: "-") || (0x30...0x39).contains($0) || (0x41...0x5A).contains($0 & 0xDF) }
    }
}
