import Model

/// What an event must be; of one that is written as events.k8s.io has it more is asked. (k8s.io/kubernetes/pkg/apis/core/validation,
/// ValidateEventCreate and ValidateEventUpdate)
enum EventValidation {
    private typealias Cause = StatusError.Cause
    private static let longestText = 128, longestNote = 1024

    static let validate: KindDefinition.Validation = { event, old, context in
        let isCore = context.writtenVersion != Resource.groupEvents.apiVersion
        let causes = always(event, isCore)
        if isCore { return causes }
        guard let old else { return causes + name(event) + series(event) + created(event) }
        return causes + (event["series"] == old["series"] ? [] : series(event)) + immutable(event, old)
    }

    /// What is asked whichever way it came; without an eventTime, less.
    private static func always(_ event: JSON, _ isCore: Bool) -> [Cause] {
        let namespace = event["metadata"]["namespace"].string ?? "", about = event["involvedObject"]["namespace"].string ?? ""
        let isDated = !event["eventTime"].isNull
        let isElsewhere =
            about.isEmpty
            ? !["", "default"].contains(namespace) && !(isDated && namespace == "kube-system")
            : !isDated && about != namespace
        var causes: [Cause] = []
        if isElsewhere { causes.append(.invalid("involvedObject.namespace", .string(about), "does not match event.namespace")) }
        guard isDated else { return causes }
        let controller = event["reportingComponent"].string ?? "", field = isCore ? "reportingComponent" : "reportingController"
        if controller.isEmpty { causes.append(.required(field)) }
        causes += Names.each(field, controller, Names.qualifiedNameComplaints(controller))
        for field in ["reportingInstance", "action", "reason"] {
            let text = event[field].string ?? ""
            if text.isEmpty { causes.append(.required(field)) }
            if text.utf8.count > longestText { causes.append(.invalid(field, "", "can have at most \(longestText) characters")) }
        }
        if (event["message"].string ?? "").utf8.count > longestNote {
            causes.append(.invalid("message", "", "can have at most \(longestNote) characters"))
        }
        return causes
    }

    private static func name(_ event: JSON) -> [Cause] {
        let name = event["metadata"]["name"].string ?? ""
        return name.isEmpty || !Names.pathSegmentComplaints(name).isEmpty
            ? [] : Names.each("metadata.name", name, Names.subdomainComplaints(name))
    }

    private static func series(_ event: JSON) -> [Cause] {
        let series = event["series"]
        guard !series.isNull else { return [] }
        var causes: [Cause] = []
        if (series["count"].int ?? 0) < 2 { causes.append(.invalid("series.count", "", "should be at least 2")) }
        if series["lastObservedTime"].isNull { causes.append(.required("series.lastObservedTime")) }
        return causes
    }

    /// What only events of the older form have is unset.
    private static func created(_ event: JSON) -> [Cause] {
        var causes: [Cause] = []
        if event["eventTime"].isNull { causes.append(.required("eventTime")) }
        let type = event["type"].string ?? ""
        if !["Normal", "Warning"].contains(type) { causes.append(.invalid("type", "", "has invalid value: \(type)")) }
        let isSet = [
            ("firstTimestamp", !event["firstTimestamp"].isNull), ("lastTimestamp", !event["lastTimestamp"].isNull),
            ("count", (event["count"].int ?? 0) != 0), ("source", event["source"].object?.isEmpty == false),
        ]
        return causes + isSet.filter(\.1).map { .invalid($0.0, "", "needs to be unset") }
    }

    private static func immutable(_ event: JSON, _ old: JSON) -> [Cause] {
        let fields = [
            ("involvedObject", "involvedObject"), ("reason", "reason"), ("message", "message"), ("source", "source"),
            ("firstTimestamp", "firstTimestamp"), ("lastTimestamp", "lastTimestamp"), ("count", "count"), ("type", "type"),
            ("eventTime", "eventTime"), ("action", "action"), ("related", "related"), ("reportingComponent", "reportingController"),
            ("reportingInstance", "reportingInstance"),
        ]
        return fields.filter { event[$0.0] != old[$0.0] }.map { field, path in
            .invalid(path, event[field].isNull ? "" : event[field], "field is immutable")
        }
    }
}
