import Model

/// When what endpoints tell came about, so that how long it takes to reach a proxy can be measured.
/// (k8s.io/endpointslice/util, TriggerTimeTracker; kubernetes.io/docs/reference/labels-annotations-taints,
/// "endpoints.kubernetes.io/last-change-trigger-time")
struct LastChangeTrigger {
    private static let annotation = "endpoints.kubernetes.io/last-change-trigger-time"

    private let times: [Timestamp]

    init(_ service: Service, _ pods: [Pod]) { times = pods.compactMap(\.readySince) + [service.creationTimestamp].compactMap(\.self) }

    /// Notes the first of the changes that came no earlier than what the objects that were there before told of: times have whole seconds.
    func mark(_ object: inout JSON, after old: [JSON]) {
        let known = old.compactMap { $0["metadata"]["annotations"][Self.annotation].string.flatMap(Timestamp.init)?.seconds }.max()
        let first = times.filter { time in known.map { time.seconds >= $0 } ?? true }.min { $0.seconds < $1.seconds }
        object["metadata"]["annotations"][Self.annotation] = JSON(first?.description)
    }
}
