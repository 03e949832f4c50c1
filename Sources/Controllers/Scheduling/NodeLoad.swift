import Model
import Synchronization

/// What the pods on a node take up of it. (k8s.io/kubernetes/pkg/scheduler/framework, NodeInfo)
struct NodeLoad: Sendable {
    private(set) var count = 0
    private(set) var requests: [String: Quantity] = [:]
    /// Those that claim ports of the node, by uid.
    private var claims: [String: Pod] = [:]
    private var siblings: [String: Int] = [:]

    mutating func add(_ pod: Pod) { change(pod, by: 1) }
    mutating func remove(_ pod: Pod) { change(pod, by: -1) }

    private mutating func change(_ pod: Pod, by step: Int) {
        count += step
        for (name, amount) in PodResources.total(pod.spec, "requests") {
            requests[name] = (requests[name] ?? Quantity(0)) + (step > 0 ? amount : Quantity(0) - amount)
        }
        if !pod.hostPorts.isEmpty { claims[pod.uid] = step > 0 ? pod : nil }
        if let owner = pod.controllerOwner?.uid { siblings[owner] = (siblings[owner] ?? 0) + step }
        if let owner = pod.controllerOwner?.uid, siblings[owner] == 0 { siblings[owner] = nil }
    }

    /// How many pods of an owner there are.
    func siblings(of owner: String?) -> Int { owner.flatMap { siblings[$0] } ?? 0 }

    /// Whether a port that the pod wants is taken.
    func portsConflict(_ pod: Pod) -> Bool { claims.values.contains(where: pod.hostPortsConflict) }

    static func of(_ pods: [Pod]) -> [String: NodeLoad] {
        pods.reduce(into: [:]) { loads, pod in if let node = pod.nodeName { loads[node, default: NodeLoad()].add(pod) } }
    }
}

/// The loads of all nodes, kept in step with each pod that comes and goes, so that placing one pod does not look at all the others.
final class PlacedPods: Sendable {
    struct State: Sendable {
        fileprivate var pods: [String: Pod] = [:]
        var loads: [String: NodeLoad] = [:]
        /// Pods that keep others away, which each placing has to ask.
        var repelling: Set<String> = []
        /// Who waits for a place, or is just being given one: what happens meanwhile may change the answer.
        fileprivate var waiting: Set<ObjectKey> = []
        /// Pods that have displaced others and wait for the place, by uid, with its node.
        fileprivate var nominated: [String: (pod: Pod, node: String)] = [:]
        /// How many placed pods there are of each priority.
        private var priorities: [Int: Int] = [:]
        /// Whether anybody has told of any pod.
        var isFed = false

        /// Whether somebody is placed who could be displaced for a pod of a priority.
        func hasPriority(below priority: Int) -> Bool { priorities.keys.contains { $0 < priority } }

        /// The loads as a pod finds them: whoever waits for a place, and is no less important, has it already.
        func loads(for pod: Pod) -> [String: NodeLoad] {
            nominated.values.filter { $0.pod.uid != pod.uid && $0.pod.priority >= pod.priority }.reduce(into: loads) {
                $0[$1.node, default: NodeLoad()].add($1.pod)
            }
        }

        fileprivate mutating func set(_ uid: String, _ pod: Pod?) {
            if let old = pods[uid], let node = old.nodeName {
                loads[node]?.remove(old)
                priorities[old.priority] = priorities[old.priority].flatMap { $0 > 1 ? $0 - 1 : nil }
            }
            pods[uid] = pod
            if let pod, let node = pod.nodeName {
                loads[node, default: NodeLoad()].add(pod)
                priorities[pod.priority, default: 0] += 1
            }
            nominated[uid] = nil
            if let pod, !pod.spec["affinity"]["podAntiAffinity"].isNull { repelling.insert(uid) } else { repelling.remove(uid) }
        }
    }

    private let state = Mutex(State())
    var now: State { state.withLock { $0 } }

    var waiting: [ObjectKey] { state.withLock { $0.waiting.sorted() } }
    func wait(_ key: ObjectKey) { state.withLock { _ = $0.waiting.insert(key) } }
    func settle(_ key: ObjectKey) { state.withLock { _ = $0.waiting.remove(key) } }

    /// Holds a place for a pod until it has it, or is gone.
    func nominate(_ pod: Pod, to node: String) { state.withLock { $0.nominated[pod.uid] = (pod, node) } }

    func take(_ change: Reflector.Change) {
        let pod = Pod(change.object)
        state.withLock { state in
            state.isFed = true
            // Who is being deleted holds a place until it is gone.
            if change.new == nil || pod.isFinished { return state.set(pod.uid, nil) }
            // Where it was put counts before anybody has told of it.
            if pod.nodeName != nil { state.set(pod.uid, pod) }
        }
    }

    /// Counts a pod as on its node while `bind` puts it there; no more if that fails.
    func assuming(_ pod: Pod, _ bind: () async throws -> Void) async throws {
        state.withLock { if $0.isFed { $0.set(pod.uid, pod) } }
        do { try await bind() } catch {
            state.withLock { if $0.pods[pod.uid] == pod { $0.set(pod.uid, nil) } }
            throw error
        }
    }
}
