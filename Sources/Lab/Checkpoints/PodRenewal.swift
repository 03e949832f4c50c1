import Model
import Runtime

/// Pods of another time, as they begin anew: what ran is gone, so each is another pod of the same name, on the same node. One that has
/// finished stays what it is.
package struct PodRenewal {
    /// The new UID of each pod that begins anew, by its old.
    private let uids: [String: String]
    private let now: Timestamp

    package init(_ pods: [Pod], now: Timestamp, uid: () -> String = UID.random) {
        uids = Dictionary(pods.filter { !$0.isFinished }.map { ($0.uid, uid()) }) { first, _ in first }
        self.now = now
    }

    /// How many begin anew.
    package var count: Int { uids.count }

    /// nil: it is not to be there.
    package func renewed(_ resource: Resource, _ object: JSON) -> JSON? {
        guard resource == .pods, let uid = uids[Pod(object).uid] else { return renewedOwners(object) }
        let pod = Pod(object), metadata = object["metadata"]
        // A static pod's file says whether it is there. One that was on its way out has nothing left to end.
        let isStatic = !metadata["annotations"][StaticPod.mirrorAnnotation].isNull
        guard !isStatic, !pod.isBeingDeleted || !metadata["finalizers"].items.isEmpty else { return nil }
        var renewed = renewedOwners(object)
        renewed["metadata"]["uid"] = .string(uid)
        renewed["metadata"]["creationTimestamp"] = .string(now.description)
        let scheduled = object["status"]["conditions"].items.filter { $0["type"].string == "PodScheduled" }
        renewed["status"] = ["phase": "Pending", "qosClass": object["status"]["qosClass"]]
        // A deadline that a pod has runs from its first start.
        renewed["status"]["startTime"] = object["status"]["startTime"]
        if !scheduled.isEmpty { renewed["status"]["conditions"] = .array(scheduled) }
        return renewed
    }

    /// What belongs to a pod belongs to the one that takes its place.
    private func renewedOwners(_ object: JSON) -> JSON {
        let owners = object["metadata"]["ownerReferences"].items
        guard owners.contains(where: { uids[$0["uid"].string ?? ""] != nil }) else { return object }
        var renewed = object
        renewed["metadata"]["ownerReferences"] = .array(
            owners.map { owner in
                var owner = owner
                if let uid = uids[owner["uid"].string ?? ""] { owner["uid"] = .string(uid) }
                return owner
            })
        return renewed
    }
}
