import Model

/// The pods of a controller: made from its template, claimed by its selector.
struct OwnedPods {
    let owner: JSON
    let resource: Resource
    /// Whom events name.
    let component: String

    private var metadata: JSON { owner["metadata"] }
    var namespace: String { metadata["namespace"].string ?? "" }
    var name: String { metadata["name"].string ?? "" }
    var uid: String { metadata["uid"].string ?? "" }

    /// An ownerReferences entry that names the owner as the managing one.
    var reference: JSON {
        [
            "apiVersion": .string(resource.apiVersion), "kind": .string(resource.kind), "name": .string(name), "uid": .string(uid),
            "controller": true, "blockOwnerDeletion": true,
        ]
    }

    /// The pods that are the owner's: those it manages, and orphans that its selector finds, which it takes. One that was
    /// relabelled out of the selector is let go. A `finalizer` comes and goes with the ownership, and pods that are over are taken, too.
    func claim(_ selector: LabelSelector, finalizer: String? = nil, _ client: any Client) async throws -> [Pod] {
        var mine: [Pod] = []
        let owned = try await client.list(Pod.self, namespace: namespace, controller: uid)
        for pod in try await owned + client.list(Pod.self, namespace: namespace, controller: "") {
            let owner = pod.metadata.controller, isOurs = owner?["uid"].string == uid
            let finalizers = finalizer == nil ? [] : pod.metadata.finalizers.filter { $0.string != finalizer }
            guard selector.matches(pod.metadata) else {
                guard isOurs, !pod.isBeingDeleted, metadata["deletionTimestamp"].isNull else { continue }
                let others = pod.json["metadata"]["ownerReferences"].items.filter { $0["uid"].string != uid }
                _ = try await change(pod, others, finalizer == nil ? nil : finalizers, client)
                continue
            }
            if isOurs {
                mine.append(pod)
            } else if owner == nil, pod.isActive || finalizer != nil && !pod.isBeingDeleted,
                metadata["deletionTimestamp"].isNull
            {
                let references = pod.json["metadata"]["ownerReferences"].items + [reference]
                if let taken = try await change(pod, references, finalizer.map { finalizers + [.string($0)] }, client) {
                    mine.append(taken)
                }
            }
        }
        return mine
    }

    /// Nil when the pod is gone.
    private func change(_ pod: Pod, _ references: [JSON], _ finalizers: [JSON]?, _ client: any Client) async throws -> Pod? {
        var metadata: JSON = ["uid": .string(pod.uid), "ownerReferences": .array(references)]
        if let finalizers { metadata["finalizers"] = .array(finalizers) }
        do { return Pod(try await client.patch(.pods, pod.key, ["metadata": metadata])) } catch let error as StatusError
            where error.reason == .notFound
        { return nil }
    }

    /// Makes a pod of `template`; `name` nil: one that the server chooses. What goes wrong is told as an event, too.
    func create(_ template: JSON, name: String? = nil, _ client: any Client, change: (inout JSON) -> Void = { _ in }) async throws {
        var pod: JSON = ["apiVersion": "v1", "kind": "Pod", "metadata": .emptyObject, "spec": template["spec"]]
        // A template has no name: what it says of one is not the pod's. (k8s.io/kubernetes/pkg/controller, GetPodFromTemplate)
        for field in ["labels", "annotations", "finalizers"] { pod["metadata"][field] = template["metadata"][field] }
        pod["metadata"]["name"] = JSON(name)
        pod["metadata"]["generateName"] = .string("\(self.name)-")
        pod["metadata"]["namespace"] = .string(namespace)
        pod["metadata"]["ownerReferences"] = [reference]
        change(&pod)
        do {
            let made = try await client.create(.pods, pod)
            let name = Pod(made).name
            await tell("SuccessfulCreate", isStatefulSet ? said("Create", name, "successful") : "Created pod: \(name)", client)
        } catch {
            let words = isStatefulSet ? said("Create", name ?? "", "failed error: \(error)") : "Error creating: \(error)"
            await tell("FailedCreate", words, type: "Warning", client)
            throw error
        }
    }

    func delete(_ pod: Pod, _ client: any Client) async throws {
        do { try await client.delete(.pods, pod.key, gracePeriod: nil, uid: pod.uid) } catch let error as StatusError
            where error.reason == .notFound
        { return }
        await tell("SuccessfulDelete", isStatefulSet ? said("Delete", pod.name, "successful") : "Deleted pod: \(pod.name)", client)
    }

    /// A StatefulSet's controller has words of its own. (k8s.io/kubernetes/pkg/controller/statefulset, recordPodEvent)
    private var isStatefulSet: Bool { resource == .statefulSets }
    private func said(_ verb: String, _ pod: String, _ outcome: String) -> String { "\(verb) Pod \(pod) in StatefulSet \(name) \(outcome)" }

    func tell(_ reason: String, _ message: String, type: String = "Normal", _ client: any Client) async {
        await client.recordEvent(about: owner, resource, type: type, reason: reason, message: message, component: component)
    }
}

extension Source {
    /// The object of `owner`'s kind that manages the changed one or did before, and those whose selector finds it when nobody manages it.
    /// (k8s.io/kubernetes/pkg/controller, ControllerRefManager)
    /// `selector` reads an owner's selector; two states of an object between which `unless` sees no difference concern nobody.
    static func claimed(
        _ resource: Resource, by owner: Resource, unless alike: @escaping @Sendable (Pod, Pod) -> Bool = { _, _ in false },
        selector: @escaping @Sendable (JSON) -> LabelSelector = { LabelSelector($0["spec"]["selector"]) }
    ) -> Source {
        Source(resource) { change, informers in
            if let old = change.old, let new = change.new, alike(Pod(old), Pod(new)) { return [] }
            let namespace = change.key.namespace
            var names = change.controllers(owner.kind)
            let metadata = change.object["metadata"], before = change.old?["metadata"]
            let isOrphan = change.new != nil && change.object.metadata.controller == nil && !change.object.metadata.isBeingDeleted
            // What somebody might take changed: not the status of each pod that is nobody's.
            let isNew = before.map { $0["labels"] != metadata["labels"] || $0["ownerReferences"] != metadata["ownerReferences"] } ?? true
            if isOrphan, isNew, let owners = informers[owner]?.list(namespace: namespace) {
                let labels = change.object.metadata.labels
                names.formUnion(owners.filter { selector($0).matches(labels) }.map(\.metadata.name))
            }
            return names.map { ObjectKey(namespace, $0) }
        }
    }
}

extension Pod {
    /// Ready, and for long enough.
    func isAvailable(after seconds: Int, now: Timestamp) -> Bool {
        guard isReady else { return false }
        guard seconds > 0 else { return true }
        return readySince.map { $0.seconds + seconds <= now.seconds } ?? false
    }

    /// When the Ready condition last changed.
    var readySince: Timestamp? {
        status["conditions"].items.first { $0["type"].string == "Ready" }?["lastTransitionTime"].string.flatMap(Timestamp.init)
    }

    /// Which of two pods goes first: not scheduled, then not ready, then the younger
    /// (k8s.io/kubernetes/pkg/controller, ActivePodsWithRanks).
    static func isDeletedBefore(_ a: Pod, _ b: Pod) -> Bool {
        if (a.nodeName == nil) != (b.nodeName == nil) { return a.nodeName == nil }
        if a.isReady != b.isReady { return !a.isReady }
        func cost(_ pod: Pod) -> Int { pod.annotations["controller.kubernetes.io/pod-deletion-cost"].flatMap { Int($0) } ?? 0 }
        if cost(a) != cost(b) { return cost(a) < cost(b) }
        let created = (a.creationTimestamp ?? Timestamp(seconds: 0), b.creationTimestamp ?? Timestamp(seconds: 0))
        return created.0 == created.1 ? a.name > b.name : created.0 > created.1
    }
}

/// A count, or a percentage of `total`. Nobody has more pods than 32 bits can count, whatever number was written.
func scaled(_ value: JSON, of total: Int, roundUp: Bool) -> Int {
    func bounded(_ number: Int) -> Int { min(max(number, 0), Int(Int32.max)) }
    if let number = value.int { return bounded(number) }
    guard let text = value.string, text.hasSuffix("%"), let percent = Int(text.dropLast()).map(bounded) else { return 0 }
    let hundredfold = bounded(total) * percent
    return bounded(roundUp ? (hundredfold + 99) / 100 : hundredfold / 100)
}
