import Model

/// Which pods of a DaemonSet go and which nodes get one: on every node that suits, and from one revision to the next no faster than its
/// strategy allows. It decides and does nothing. (k8s.io/kubernetes/pkg/controller/daemon, podsShouldBeOnNode and rollingUpdate)
struct DaemonSetPlan {
    struct Strategy: Equatable {
        var isRolling = true
        var maxUnavailable = 1
        /// So many nodes may run a new pod beside the old one.
        var maxSurge = 0

        init(_ json: JSON, nodes: Int) {
            isRolling = json["type"].string != "OnDelete"
            let rolling = json["rollingUpdate"]
            maxSurge = isRolling ? scaled(rolling["maxSurge"], of: nodes, roundUp: true) : 0
            maxUnavailable = rolling["maxUnavailable"].isNull ? 1 : scaled(rolling["maxUnavailable"], of: nodes, roundUp: true)
            // Both are 0 for 0% of few nodes: one pod at a time then.
            if maxSurge == 0, maxUnavailable == 0 { maxUnavailable = 1 }
        }
    }

    /// One node's place in the set.
    struct Place {
        let node: String
        let pods: [Pod]
        let suits: Bool
        /// Whether pods that run may go on; a taint without NoExecute keeps others away only.
        let mayStay: Bool
        /// Failed pods stay where they are for now.
        let isBackingOff: Bool
    }

    /// Pods that ended, and what an Event says of them.
    struct Ended: Equatable {
        let pod: Pod
        var reason: String { pod.phase == "Failed" ? "FailedDaemonPod" : "SucceededDaemonPod" }
        func message(node: String) -> String {
            let verb = pod.phase == "Failed" ? "kill" : "delete"
            return "Found \(pod.phase.lowercased()) daemon pod \(pod.key) on node \(node), will try to \(verb) it"
        }
    }

    private(set) var deletions: [Pod] = []
    private(set) var creations: [String] = []
    private(set) var ended: [(node: String, Ended)] = []

    private let hash: String
    private let strategy: Strategy
    private let isAvailable: (Pod) -> Bool

    init(_ places: [Place], hash: String, strategy: Strategy, isAvailable: @escaping (Pod) -> Bool) {
        self.hash = hash
        self.strategy = strategy
        self.isAvailable = isAvailable
        for place in places { keep(place) }
        guard strategy.isRolling else { return }
        if strategy.maxSurge > 0 { surge(places) } else { replace(places) }
    }

    /// One running pod on a node that suits, none elsewhere. What is on its way out keeps its place.
    private mutating func keep(_ place: Place) {
        let living = place.pods.filter { !$0.isBeingDeleted }
        guard place.mayStay else {
            deletions += living
            return
        }
        if place.pods.isEmpty, place.suits { creations.append(place.node) }
        for pod in living where pod.isFinished && !(pod.phase == "Failed" && place.isBackingOff) {
            ended.append((place.node, Ended(pod: pod)))
            deletions.append(pod)
        }
        let running = Self.oldestFirst(living.filter { !$0.isFinished })
        guard running.count > 1 else { return }
        guard strategy.maxSurge > 0 else {
            deletions += running.dropFirst()
            return
        }
        let new = running.first(where: isNew), old = running.first { !isNew($0) }
        deletions += running.filter { $0.uid != new?.uid && $0.uid != old?.uid }
        if let new, let old, !old.isReady || isAvailable(new) { deletions.append(old) }
    }

    /// Old pods go, as many as may be missing; what is not available anyway costs nothing.
    private mutating func replace(_ places: [Place]) {
        var unavailable = 0
        var free: [Pod] = [], candidates: [Pod] = []
        for place in places where place.suits {
            switch (current(place, isNew), current(place) { !isNew($0) }) {
            case (let new?, nil): if !isAvailable(new) { unavailable += 1 }
            case (nil, let old?): if isAvailable(old) { candidates.append(old) } else { free.append(old) }
            default: unavailable += 1
            }
        }
        deletions += free + candidates.prefix(max(0, strategy.maxUnavailable - unavailable))
    }

    /// New pods come beside old ones, which go once the new are available.
    private mutating func surge(_ places: [Place]) {
        var surging = 0
        var free: [String] = [], candidates: [String] = []
        for place in places where place.suits {
            guard let old = current(place, { !isNew($0) }) else { continue }
            if let new = current(place, isNew) {
                if !isAvailable(new) { surging += 1 }
            } else if isAvailable(old) {
                candidates.append(place.node)
            } else {
                free.append(place.node)
            }
        }
        creations += free + candidates.prefix(max(0, strategy.maxSurge - surging))
    }

    private func isNew(_ pod: Pod) -> Bool { pod.labels[ControllerHistory.hashLabel] == hash }

    private func current(_ place: Place, _ test: (Pod) -> Bool) -> Pod? {
        Self.oldestFirst(place.pods.filter(\.isActive)).first(where: test)
    }

    private static func oldestFirst(_ pods: [Pod]) -> [Pod] {
        pods.sorted { ($0.creationTimestamp ?? Timestamp(seconds: 0), $0.name) < ($1.creationTimestamp ?? Timestamp(seconds: 0), $1.name) }
    }
}
