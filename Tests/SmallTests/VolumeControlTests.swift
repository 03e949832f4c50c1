import API
import Controllers
import Model
import Synchronization
import Testing

/// Disks that remember what lies on them.
private final class NotedDisks: VolumeDisks {
    private let held = Mutex<[String: String]>([:])
    var volumes: [String: String] { held.withLock { $0 } }

    func path(of volume: String) -> String { "/volumes/\(volume)" }
    func make(_ volume: String, on node: String) { held.withLock { $0[volume] = node } }
    func delete(_ volume: PersistentVolume) { held.withLock { $0[volume.name] = nil } }
}

@Suite("Volumes and claims", .timeLimit(.minutes(5)))
struct VolumeControlTests {
    private let disks = NotedDisks()

    private func with(_ body: (APIServer) async throws -> Void) async throws {
        let api = try await Fixture.api()
        for name in ["node1", "node2"] {
            _ = try await api.create(
                .nodes,
                [
                    "apiVersion": "v1", "kind": "Node",
                    "metadata": ["name": .string(name), "labels": ["kubernetes.io/hostname": .string(name)]],
                    "status": ["conditions": [["type": "Ready", "status": "True"]]],
                ])
        }
        let reconcilers: [any Reconciler] = [
            ClaimBinder(), VolumeKeeper(disks: disks, now: { Fixture.time }), LocalProvisioner(disks: disks), ClaimProtection(),
            VolumeProtection(), EphemeralClaims(), Scheduler(now: { Fixture.time }), StatefulSetReconciler(now: { Fixture.time }),
        ]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for reconciler in reconcilers {
                let controller = Controller(reconciler, client: api, report: { Issue.record("\($0)") })
                group.addTask { try await controller.run() }
            }
            group.addTask { try await GarbageCollector(client: api, kinds: { api.catalog.followed }, report: { _ in }).run() }
            defer { group.cancelAll() }
            try await body(api)
        }
    }

    private func storage(
        _ name: String, mode: String = "WaitForFirstConsumer", policy: String = "Delete", isDefault: Bool = false
    ) -> JSON {
        [
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": ["name": .string(name), "annotations": isDefault ? [StorageClass.defaultMark: "true"] : .null],
            "provisioner": .string(StorageClass.localProvisioner), "volumeBindingMode": .string(mode), "reclaimPolicy": .string(policy),
            "allowVolumeExpansion": true,
        ]
    }

    private func claim(_ name: String, _ storage: String?, size: String = "1Gi", mode: String = "ReadWriteOnce", volume: String? = nil)
        -> JSON
    {
        [
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": ["name": .string(name), "namespace": "default"],
            "spec": [
                "accessModes": [.string(mode)], "resources": ["requests": ["storage": .string(size)]], "storageClassName": JSON(storage),
                "volumeName": JSON(volume),
            ],
        ]
    }

    private func volume(_ name: String, size: String, node: String? = nil, policy: String = "Retain", kept: String? = nil) -> JSON {
        let rule: JSON = ["key": "kubernetes.io/hostname", "operator": "In", "values": [JSON(node)]]
        return [
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": ["name": .string(name)],
            "spec": [
                "capacity": ["storage": .string(size)], "accessModes": ["ReadWriteOnce"], "hostPath": ["path": .string("/data/\(name)")],
                "persistentVolumeReclaimPolicy": .string(policy), "storageClassName": "manual",
                "claimRef": kept.map { ["namespace": "default", "name": .string($0)] } ?? .null,
                "nodeAffinity": node == nil ? .null : ["required": ["nodeSelectorTerms": [["matchExpressions": [rule]]]]],
            ],
        ]
    }

    private func pod(_ name: String, _ claim: String) -> JSON {
        var pod = Fixture.pod(name)
        pod["spec"]["volumes"] = [["name": "data", "persistentVolumeClaim": ["claimName": .string(claim)]]]
        return pod
    }

    private func held(_ name: String, _ api: APIServer) async throws -> PersistentVolumeClaim {
        try await api.get(PersistentVolumeClaim.self, Fixture.key(name))
    }

    private func bound(_ name: String, _ api: APIServer) async throws -> PersistentVolumeClaim {
        try await eventually("\(name) is bound") { try await held(name, api).phase == "Bound" }
        return try await held(name, api)
    }

    private func events(_ name: String, _ api: APIServer) async throws -> [String] {
        try await api.list(.events, namespace: "default", selector: nil).items.filter { $0["involvedObject"]["name"].string == name }
            .map { "\($0["reason"].string ?? ""): \($0["message"].string ?? "")" }
    }

    @Test("a claim takes the smallest volume that has room for it, and what is kept for it before all others")
    func matching() async throws {
        try await with { api in
            for (name, size) in [("large", "10Gi"), ("small", "2Gi"), ("tiny", "1Mi")] {
                _ = try await api.create(.persistentVolumes, volume(name, size: size))
            }
            _ = try await api.create(.persistentVolumes, volume("kept", size: "50Gi", kept: "second"))
            _ = try await api.create(.persistentVolumeClaims, claim("first", "manual"))
            _ = try await api.create(.persistentVolumeClaims, claim("second", "manual"))
            let first = try await bound("first", api), second = try await bound("second", api)
            #expect(first.volumeName == "small" && second.volumeName == "kept")
            #expect(first.annotations[PersistentVolumeClaim.bindCompleted] == "yes")
            #expect(first.status["capacity"]["storage"] == "2Gi" && first.status["accessModes"] == ["ReadWriteOnce"])
            try await eventually("the volume says so") {
                let phases = try await api.list(PersistentVolume.self).map { "\($0.name) \($0.phase)" }
                return phases.sorted() == ["kept Bound", "large Available", "small Bound", "tiny Available"]
            }
        }
    }

    @Test("a claim of a class that waits is made where its pod goes; deleted, it outlives the pod that uses it, and its data goes with it")
    func waiting() async throws {
        try await with { api in
            _ = try await api.create(.storageClasses, storage("standard", isDefault: true))
            let made = try await api.create(.persistentVolumeClaims, claim("data", nil))
            #expect(made["spec"]["storageClassName"] == "standard", "the default class is filled in")
            #expect(made["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"])
            try await eventually("it waits") {
                try await events("data", api).contains("WaitForFirstConsumer: waiting for first consumer to be created before binding")
            }
            _ = try await api.create(.pods, pod("user", "data"))
            let data = try await bound("data", api)
            try await eventually("the pod has a node") { try await api.get(Pod.self, Fixture.key("user")).nodeName != nil }
            let user = try await api.get(Pod.self, Fixture.key("user"))
            #expect(disks.volumes == [data.volumeName: user.nodeName ?? ""])
            let heard = try await events("data", api)
            #expect(heard.contains("ProvisioningSucceeded: Successfully provisioned volume \(data.volumeName)"))

            try await api.delete(.persistentVolumeClaims, data.key)
            #expect(try await held("data", api).isBeingDeleted, "a pod uses it")
            try await api.delete(.pods, user.key, gracePeriod: 0, uid: nil)
            try await eventually("claim, volume and directory are gone") {
                let volumes = try await api.list(PersistentVolume.self)
                return try await api.find(PersistentVolumeClaim.self, data.key) == nil && volumes.isEmpty && disks.volumes.isEmpty
            }
        }
    }

    @Test("an immediate class makes a volume at once; Retain keeps it, Released, when the claim goes")
    func retaining() async throws {
        try await with { api in
            _ = try await api.create(.storageClasses, storage("kept", mode: "Immediate", policy: "Retain"))
            _ = try await api.create(.persistentVolumeClaims, claim("data", "kept"))
            let data = try await bound("data", api)
            try await api.delete(.persistentVolumeClaims, data.key)
            try await eventually("the volume is released") {
                try await api.get(PersistentVolume.self, ObjectKey("", data.volumeName)).phase == "Released"
            }
            #expect(disks.volumes.count == 1)
        }
    }

    @Test("a claim grows if its class lets it, and never shrinks")
    func growing() async throws {
        try await with { api in
            _ = try await api.create(.storageClasses, storage("now", mode: "Immediate"))
            _ = try await api.create(.persistentVolumeClaims, claim("data", "now"))
            let data = try await bound("data", api)
            func resize(_ size: String) -> JSON { ["spec": ["resources": ["requests": ["storage": .string(size)]]]] }
            _ = try await api.patch(.persistentVolumeClaims, data.key, resize("3Gi"))
            try await eventually("both sides have grown") {
                let volume = try await api.get(PersistentVolume.self, ObjectKey("", data.volumeName))
                return try await held("data", api).status["capacity"]["storage"] == "3Gi" && volume.spec["capacity"]["storage"] == "3Gi"
            }
            let refusal = await #expect(throws: StatusError.self) {
                _ = try await api.patch(.persistentVolumeClaims, data.key, resize("1Gi"))
            }
            #expect(refusal?.message.contains("field can not be less than status.capacity") == true)
            _ = try await api.patch(.storageClasses, ObjectKey("", "now"), ["allowVolumeExpansion": false])
            let second = await #expect(throws: StatusError.self) {
                _ = try await api.patch(.persistentVolumeClaims, data.key, resize("9Gi"))
            }
            #expect(second?.message.contains("only dynamically provisioned pvc can be resized") == true)
        }
    }

    @Test("a pod waits, in the scheduler's words, for a claim that is missing, unbound or out of reach, and for one that another pod has")
    func unschedulable() async throws {
        try await with { api in
            _ = try await api.create(.storageClasses, storage("now", mode: "Immediate"))
            _ = try await api.create(.persistentVolumeClaims, claim("unbound", "absent"))
            _ = try await api.create(.persistentVolumes, volume("far", size: "1Gi", node: "elsewhere"))
            _ = try await api.create(.persistentVolumeClaims, claim("far", "manual"))
            _ = try await bound("far", api)
            _ = try await api.create(.persistentVolumeClaims, claim("single", "now", mode: "ReadWriteOncePod"))
            _ = try await bound("single", api)
            _ = try await api.create(.pods, pod("first", "single"))
            try await eventually("it has a node") { try await api.get(Pod.self, Fixture.key("first")).nodeName != nil }
            for (name, claim, words) in [
                ("a", "none", "persistentvolumeclaim \"none\" not found. not found"),
                ("b", "unbound", "pod has unbound immediate PersistentVolumeClaims. not found"),
                ("c", "far", "2 node(s) didn't match PersistentVolume's node affinity"),
                ("d", "single", "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"),
            ] {
                _ = try await api.create(.pods, pod(name, claim))
                try await eventually("\(name) is told why") {
                    try await events(name, api).contains {
                        $0.hasPrefix("FailedScheduling: 0/2 nodes are available: ") && $0.contains(words)
                    }
                }
            }
            #expect(try await events("unbound", api).contains("ProvisioningFailed: storageclass.storage.k8s.io \"absent\" not found"))
            // What it waited for comes.
            _ = try await api.create(.persistentVolumeClaims, claim("none", "now"))
            try await eventually("a has a node") { try await api.get(Pod.self, Fixture.key("a")).nodeName != nil }
        }
    }

    @Test("a claim whose volume is deleted by hand is Lost")
    func lost() async throws {
        try await with { api in
            _ = try await api.create(.persistentVolumes, volume("v", size: "1Gi"))
            _ = try await api.create(.persistentVolumeClaims, claim("data", "manual", volume: "v"))
            _ = try await bound("data", api)
            let v = ObjectKey("", "v")
            try await eventually("the volume says so") { try await api.get(PersistentVolume.self, v).phase == "Bound" }
            try await api.delete(.persistentVolumes, v)
            var kept = try await api.get(.persistentVolumes, v)
            #expect(PersistentVolume(kept).isBeingDeleted, "it is a claim's")
            kept["metadata"]["finalizers"] = .null
            _ = try await api.update(.persistentVolumes, kept)
            try await eventually("it is lost") { try await held("data", api).phase == "Lost" }
            try await eventually("and says so") {
                try await events("data", api).contains("ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!")
            }
        }
    }

    @Test("an ephemeral volume's claim is its pod's, and goes with it")
    func ephemeral() async throws {
        try await with { api in
            _ = try await api.create(.storageClasses, storage("standard", isDefault: true))
            var user = Fixture.pod("user")
            user["spec"]["volumes"] = [
                [
                    "name": "scratch",
                    "ephemeral": [
                        "volumeClaimTemplate": ["spec": ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]]]]
                    ],
                ]
            ]
            let uid = try await api.create(.pods, user).metadata.uid
            try await eventually("there is a claim") { try await api.find(PersistentVolumeClaim.self, Fixture.key("user-scratch")) != nil }
            let scratch = try await bound("user-scratch", api)
            #expect(scratch.metadata.controller?["uid"].string == uid)
            try await eventually("the pod has a node") { try await api.get(Pod.self, Fixture.key("user")).nodeName != nil }
            try await api.delete(.pods, Fixture.key("user"), gracePeriod: 0, uid: nil)
            try await eventually("all is gone") {
                let volumes = try await api.list(PersistentVolume.self)
                return try await api.list(PersistentVolumeClaim.self).isEmpty && volumes.isEmpty
            }
        }
    }

    @Test("a StatefulSet makes each pod's claims once, keeps them, and lets them go as its retention policy says")
    func statefulSet() async throws {
        try await with { api in
            _ = try await api.create(.storageClasses, storage("standard", isDefault: true))
            let template: JSON = [
                "metadata": ["labels": ["app": "db"]], "spec": ["containers": [["name": "c", "image": "i"]]],
            ]
            let set: JSON = [
                "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": ["name": "db", "namespace": "default"],
                "spec": [
                    "replicas": 2, "podManagementPolicy": "Parallel", "selector": ["matchLabels": ["app": "db"]], "template": template,
                    "persistentVolumeClaimRetentionPolicy": ["whenScaled": "Delete", "whenDeleted": "Retain"],
                    "volumeClaimTemplates": [
                        [
                            "metadata": ["name": "data"],
                            "spec": ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]]],
                        ]
                    ],
                ],
            ]
            _ = try await api.create(.statefulSets, set)
            try await eventually("the first claim") { try await api.find(PersistentVolumeClaim.self, Fixture.key("data-db-0")) != nil }
            let first = try await bound("data-db-0", api)
            try await eventually("the second") { try await api.find(PersistentVolumeClaim.self, Fixture.key("data-db-1")) != nil }
            #expect(first.labels == ["app": "db"])
            try await api.delete(.pods, Fixture.key("db-0"), gracePeriod: 0, uid: nil)
            try await eventually("the pod is back") { try await api.find(Pod.self, Fixture.key("db-0"))?.nodeName != nil }
            #expect(try await held("data-db-0", api).uid == first.uid)
            _ = try await api.patch(.statefulSets, Fixture.key("db"), ["spec": ["replicas": 1]])
            try await eventually("the pod is to go") { try await api.get(Pod.self, Fixture.key("db-1")).isBeingDeleted }
            try await api.delete(.pods, Fixture.key("db-1"), gracePeriod: 0, uid: nil)
            try await eventually("the claim of the pod that was scaled away is gone") {
                try await api.find(PersistentVolumeClaim.self, Fixture.key("data-db-1")) == nil
            }
            #expect(try await !held("data-db-0", api).isBeingDeleted)
        }
    }
}
