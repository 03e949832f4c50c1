import Model

/// minik's own provisioner: a volume is a directory on one node's disk, and grows by being said to.
///
/// To the cluster it is what an external provisioner is: it acts on claims that the binder has marked as its own.
package struct LocalProvisioner: Reconciler {
    private let disks: any VolumeDisks
    private static let component = StorageClass.localProvisioner
    private static let mark = "volume.kubernetes.io/storage-provisioner"

    package init(disks: any VolumeDisks) { self.disks = disks }

    package var sources: [Source] { [.own(.persistentVolumeClaims)] }
    package var reads: [Resource] { [.persistentVolumes, .storageClasses, .nodes] }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let claim = try await client.find(PersistentVolumeClaim.self, key), !claim.isBeingDeleted,
            claim.annotations[Self.mark] == StorageClass.localProvisioner
        else { return }
        if claim.isBound { return try await grow(claim, client) }
        guard claim.volumeName.isEmpty, let name = claim.className,
            let storage = try await client.find(StorageClass.self, ObjectKey("", name)),
            storage.provisioner == StorageClass.localProvisioner
        else { return }
        let selected = claim.annotations[PersistentVolumeClaim.selectedNode]
        if storage.waitsForConsumer, selected == nil { return }
        let volume = "pvc-\(claim.uid)"
        guard try await client.find(PersistentVolume.self, ObjectKey("", volume)) == nil else { return }
        await tell(claim, "Provisioning", "External provisioner is provisioning volume for claim \"\(key)\"", client)
        do {
            try Self.check(claim)
            let node = try await home(selected, storage, client)
            do { try await disks.make(volume, on: node.name) } catch { throw Refusal(description: "\(error)", isNodes: true) }
            _ = try await client.create(.persistentVolumes, self.volume(volume, claim, storage, node))
        } catch let error as Refusal {
            await tell(
                claim, "ProvisioningFailed", "failed to provision volume with StorageClass \"\(name)\": \(error)", type: "Warning", client)
            // Another node may be right: the scheduler is asked again.
            if selected != nil, error.isNodes { try await deselect(claim, client) }
            return
        }
        await tell(claim, "ProvisioningSucceeded", "Successfully provisioned volume \(volume)", client)
    }

    private struct Refusal: Error, CustomStringConvertible {
        let description: String
        var isNodes = false
    }

    private static func check(_ claim: PersistentVolumeClaim) throws {
        if claim.mode == "Block" { throw Refusal(description: "a directory is no block device: volumeMode has to be Filesystem") }
        if !claim.spec["selector"].isNull { throw Refusal(description: "claim.Spec.Selector is not supported") }
        if !claim.spec["dataSourceRef"].isNull {
            throw Refusal(description: "a new volume is empty: dataSource and dataSourceRef are not supported")
        }
    }

    /// The node that was chosen; without a choice, of those that take pods the one with the fewest volumes.
    private func home(_ selected: String?, _ storage: StorageClass, _ client: any Client) async throws -> Node {
        let nodes = try await client.list(Node.self)
        if let selected {
            guard let node = nodes.first(where: { $0.name == selected }) else {
                throw Refusal(description: "node \"\(selected)\" not found", isNodes: true)
            }
            return node
        }
        let volumes = try await client.list(PersistentVolume.self)
        let open = nodes.filter { node in
            let taints = node.taints.contains { ["NoSchedule", "NoExecute"].contains($0["effect"].string) }
            return node.isReady && !node.isUnschedulable && !taints && storage.allows(node)
        }
        func load(_ node: Node) -> Int {
            volumes.filter { !$0.spec["nodeAffinity"].isNull && $0.isReachable(from: node) }.count
        }
        let ranked = open.map { (node: $0, load: load($0)) }
        let best = ranked.min { ($0.load, $0.node.name) < ($1.load, $1.node.name) }
        guard let best else { throw Refusal(description: "no node that is ready takes pods") }
        return best.node
    }

    private func volume(_ name: String, _ claim: PersistentVolumeClaim, _ storage: StorageClass, _ node: Node) -> JSON {
        let host = node.labels["kubernetes.io/hostname"] ?? node.name
        let term: JSON = [
            "matchExpressions": [["key": "kubernetes.io/hostname", "operator": "In", "values": [.string(host)]]]
        ]
        return [
            "apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": [
                "name": .string(name), "annotations": ["pv.kubernetes.io/provisioned-by": .string(StorageClass.localProvisioner)],
            ],
            "spec": [
                "capacity": ["storage": claim.spec["resources"]["requests"]["storage"]], "accessModes": claim.spec["accessModes"],
                "persistentVolumeReclaimPolicy": storage.json["reclaimPolicy"], "storageClassName": .string(storage.name),
                "mountOptions": storage.json["mountOptions"], "volumeMode": "Filesystem",
                "local": ["path": .string(disks.path(of: name))],
                "nodeAffinity": ["required": ["nodeSelectorTerms": [term]]],
                "claimRef": [
                    "kind": "PersistentVolumeClaim", "apiVersion": "v1", "namespace": .string(claim.namespace), "name": .string(claim.name),
                    "uid": .string(claim.uid), "resourceVersion": .string(claim.resourceVersion),
                ],
            ],
        ]
    }

    private func deselect(_ claim: PersistentVolumeClaim, _ client: any Client) async throws {
        guard var held = try await client.find(.persistentVolumeClaims, claim.key) else { return }
        held["metadata"]["annotations"][PersistentVolumeClaim.selectedNode] = .null
        _ = try await client.update(.persistentVolumeClaims, held)
    }

    /// A directory has room for as much as the disk has: what grows is what is said of it.
    private func grow(_ claim: PersistentVolumeClaim, _ client: any Client) async throws {
        let size = claim.spec["resources"]["requests"]["storage"]
        let held = claim.status["capacity"]["storage"].string.flatMap { Quantity($0) }
        guard let held, claim.phase == "Bound", held < claim.request,
            let volume = try await client.find(PersistentVolume.self, ObjectKey("", claim.volumeName)),
            volume.provisioner == StorageClass.localProvisioner
        else { return }
        await tell(claim, "Resizing", "External resizer is resizing volume \(volume.name)", client)
        if volume.capacity < claim.request {
            _ = try await client.patch(.persistentVolumes, volume.key, ["spec": ["capacity": ["storage": size]]])
        }
        var status = claim.status
        status["capacity"]["storage"] = size
        _ = try await client.updateStatus(.persistentVolumeClaims, claim.with(status: status))
        await tell(claim, "VolumeResizeSuccessful", "Resize volume succeeded", client)
    }

    private func tell(
        _ claim: PersistentVolumeClaim, _ reason: String, _ words: String, type: String = "Normal", _ client: any Client
    ) async {
        await client.recordEvent(about: claim, type: type, reason: reason, message: words, component: Self.component)
    }
}

extension StorageClass {
    /// Whether volumes may be made for a node. (core/v1 TopologySelectorTerm)
    func allows(_ node: Node) -> Bool {
        let terms = json["allowedTopologies"].items
        return terms.isEmpty
            || terms.contains { term in
                term["matchLabelExpressions"].items.allSatisfy { rule in
                    node.labels[rule["key"].string ?? ""].map { rule["values"].items.contains(.string($0)) } ?? false
                }
            }
    }
}
