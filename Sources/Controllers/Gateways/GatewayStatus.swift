import Model

/// What is said of a Gateway and its routes, in upstream's words.
struct GatewayStatus: Sendable {
    let plan: GatewayPlan
    /// The Service that stands for the Gateway, where there is one, and why none could be written as it should be.
    let service: Service?
    let refusal: String?
    let now: Timestamp

    private var address: IPAddress? { service?.balancerAddresses.first }

    private var programmed: GatewayVerdict {
        if !plan.accepted.holds { return GatewayVerdict(false, "Invalid", plan.accepted.message) }
        if let refusal { return GatewayVerdict(false, "NoResources", refusal) }
        guard let service else { return GatewayVerdict(false, "Invalid", "no listener takes any route") }
        if let address, plan.wish.map({ IPAddress($0) == address }) ?? true {
            return GatewayVerdict(true, "Programmed", "Service \(service.key) has address \(address)")
        }
        let words = "see the events of Service \(service.key)"
        if let wish = plan.wish { return GatewayVerdict(false, "AddressNotUsable", "address \(wish) is not to be had: \(words)") }
        return GatewayVerdict(false, "AddressNotAssigned", "no address of the pool is assigned yet: \(words)")
    }

    func write(to gateway: inout Gateway) {
        let generation = gateway.generation, programmed = programmed
        for (type, verdict) in [("Accepted", plan.accepted), ("Programmed", programmed)] {
            gateway.status["conditions"].set(type, verdict, generation, now)
        }
        gateway.status["addresses"] =
            programmed.holds ? .array([address].compactMap { $0.map { ["type": "IPAddress", "value": .string("\($0)")] } }) : .null
        let old = gateway.status["listeners"].items
        gateway.status["listeners"] = .array(
            plan.listeners.map { listener in
                let before = old.first { $0["name"].string == listener.listener.name }?["conditions"] ?? .null
                return entry(listener, programmed, before, generation)
            })
    }

    private func entry(_ listener: GatewayPlan.ListenerPlan, _ programmed: GatewayVerdict, _ before: JSON, _ generation: Int) -> JSON {
        var conditions = before
        let own =
            if !listener.accepted.holds {
                GatewayVerdict(false, "Invalid", listener.accepted.message)
            } else if listener.kinds.isEmpty {
                GatewayVerdict(false, "Invalid", listener.resolved.message)
            } else if programmed.holds {
                GatewayVerdict(true, "Programmed")
            } else {
                GatewayVerdict(false, "Pending", programmed.message)
            }
        let verdicts = [
            ("Accepted", listener.accepted), ("Programmed", own), ("ResolvedRefs", listener.resolved), ("Conflicted", listener.conflicted),
        ]
        for (type, verdict) in verdicts { conditions.set(type, verdict, generation, now) }
        return [
            "name": .string(listener.listener.name),
            "supportedKinds": .array(listener.kinds.map { ["group": .string(Resource.gatewayGroup), "kind": .string($0)] }),
            "attachedRoutes": .int(listener.route == nil ? 0 : 1), "conditions": conditions,
        ]
    }

    /// Of a Gateway that has gone to another class: it waits for that one's controller, as a new one does, unless that has spoken already.
    /// (gateway.networking.k8s.io, the default of `status.conditions`)
    static func takeBack(from gateway: inout Gateway, _ own: Set<String>) {
        guard gateway.status["addresses"].items.allSatisfy({ own.contains($0["value"].string ?? "") }) else { return }
        gateway.status = [
            "conditions": .array(
                ["Accepted", "Programmed"].map {
                    [
                        "type": .string($0), "status": "Unknown", "reason": "Pending", "message": "Waiting for controller",
                        "lastTransitionTime": "1970-01-01T00:00:00Z",
                    ]
                })
        ]
    }

    /// A route's parents: others' stay as they are.
    static func parents(_ route: GatewayRoute, of gateway: ObjectKey, _ plans: [GatewayPlan.ParentPlan], _ now: Timestamp) -> JSON {
        let all = route.json["status"]["parents"].items, own = all.filter { route.isOurs($0, about: gateway) }
        let entries = plans.map { plan -> JSON in
            var conditions = own.first { $0["parentRef"] == plan.parentRef }?["conditions"] ?? .null
            for (type, verdict) in [("Accepted", plan.accepted), ("ResolvedRefs", plan.resolved)] {
                conditions.set(type, verdict, route.json.metadata.generation, now)
            }
            return ["parentRef": plan.parentRef, "controllerName": .string(GatewayClass.ownController), "conditions": conditions]
        }
        return .array(all.filter { !route.isOurs($0, about: gateway) } + entries)
    }
}

extension JSON {
    fileprivate mutating func set(_ type: String, _ verdict: GatewayVerdict, _ generation: Int, _ now: Timestamp) {
        setCondition(type, verdict.holds, reason: verdict.reason, message: verdict.message, observedGeneration: generation, now: now)
    }
}
