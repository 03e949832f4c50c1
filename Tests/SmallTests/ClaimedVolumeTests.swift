import Foundation
import Glibc
import Host
import Model
import Runtime
import Testing

@Suite("What a pod gets by its claims, and what it is told that it does not get", .timeLimit(.minutes(2)))
struct ClaimedVolumeTests {
    /// A node, and a directory of it.
    private struct Shelf {
        let node: EmulatedNode
        let folder: String

        static func with(_ body: @escaping @Sendable (Shelf) async throws -> Void) async throws {
            let node = try await EmulatedNode()
            let folder = FileManager.default.temporaryDirectory.appending(path: "m-\(UUID().uuidString.prefix(8))").path
            defer { Files.removeTree(folder) }
            try Files.makeDirectory(folder)
            // The node's root is this process'.
            let pids = node.paths.nodePID("n1")
            try Files.makeDirectory(String(pids.dropLast("/n1.pid".count)))
            try #require(ProcessIdentity(pid: Int(getpid()))).write(to: pids)
            try await node.following { try await body(Shelf(node: node, folder: folder)) }
        }

        /// A claim and the volume that it is bound to.
        func claim(_ name: String, mode: String = "Filesystem", access: String = "ReadWriteOnce", _ more: JSON) async throws {
            let spec: JSON = [
                "accessModes": [.string(access)], "storageClassName": "", "volumeMode": .string(mode), "volumeName": .string("pv-\(name)"),
                "resources": ["requests": ["storage": "1Mi"]],
            ]
            var claim = try await node.api.create(
                .persistentVolumeClaims,
                [
                    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": ["name": .string(name), "namespace": "default"],
                    "spec": spec,
                ])
            var volume: JSON = [
                "capacity": ["storage": "1Mi"], "accessModes": [.string(access)], "volumeMode": .string(mode), "storageClassName": "",
                "claimRef": [
                    "kind": "PersistentVolumeClaim", "namespace": "default", "name": .string(name), "uid": claim["metadata"]["uid"],
                ],
            ]
            let term: JSON = ["matchExpressions": [["key": "kubernetes.io/hostname", "operator": "In", "values": ["n1"]]]]
            if !more["local"].isNull { volume["nodeAffinity"] = ["required": ["nodeSelectorTerms": [term]]] }
            for (key, value) in more.object ?? JSONObject() { volume[key] = value }
            _ = try await node.api.create(
                .persistentVolumes,
                ["apiVersion": "v1", "kind": "PersistentVolume", "metadata": ["name": .string("pv-\(name)")], "spec": volume])
            claim["status"] = ["phase": "Bound"]
            _ = try await node.api.updateStatus(.persistentVolumeClaims, claim)
        }

        func pod(_ name: String, _ claim: String, device: Bool = false, group: Int? = nil) async throws -> Pod {
            try await node.create(name) {
                $0["spec"]["volumes"] = [["name": "e", "persistentVolumeClaim": ["claimName": .string(claim)]]]
                let container: JSON =
                    device
                    ? ["name": "main", "image": "busybox", "volumeDevices": [["name": "e", "devicePath": "/dev/e"]]]
                    : ["name": "main", "image": "busybox", "volumeMounts": [["name": "e", "mountPath": "/e"]]]
                $0["spec"]["containers"] = [container]
                if let group { $0["spec"]["securityContext"] = ["fsGroup": .int(group)] }
            }
        }

        /// What the first event of that reason about a pod says.
        func told(_ pod: String, _ reason: String = "FailedMount") async throws -> String {
            var said: String?
            try await node.passing(until: "\(pod) is told") {
                said = try await node.events(reason).first { $0["involvedObject"]["name"].string == pod }?["message"].string
                return said != nil
            }
            #expect(node.sandboxes.created == 0)
            return said ?? ""
        }
    }

    @Test("a claim of one mode is nothing for the field of the other")
    func modes() async throws {
        try await Shelf.with { shelf in
            try await shelf.claim("files", ["local": ["path": .string(shelf.folder)]])
            try await shelf.claim("block", mode: "Block", ["local": ["path": .string(shelf.folder)]])
            _ = try await shelf.pod("a", "files", device: true)
            _ = try await shelf.pod("b", "block")
            _ = try await shelf.pod("c", "block", device: true)
            #expect(try await shelf.told("a").hasSuffix(": volume e has volumeMode Filesystem, but is specified in volumeDevices"))
            #expect(try await shelf.told("b").hasSuffix(": volume e has volumeMode Block, but is specified in volumeMounts"))
            #expect(
                try await shelf.told("c", "FailedMapVolume")
                    == "MapVolume.SetUpDevice failed for volume \"pv-block\" : minik maps no block devices into containers")
        }
    }

    @Test("a volume that cannot be mounted is named by itself, and why is said once")
    func failures() async throws {
        try await Shelf.with { shelf in
            try await shelf.claim("gone", ["local": ["path": .string("\(shelf.folder)/none")]])
            try await shelf.claim("host", ["hostPath": ["path": .string(shelf.folder)], "mountOptions": ["ro"]])
            try await shelf.claim("odd", ["local": ["path": .string(shelf.folder)], "mountOptions": ["ro", "foo"]])
            for name in ["gone", "host", "odd"] { _ = try await shelf.pod(name, name) }
            #expect(
                try await shelf.told("gone")
                    == "MountVolume.NewMounter initialization failed for volume \"pv-gone\" : path \"\(shelf.folder)/none\" does not exist")
            #expect(
                try await shelf.told("host")
                    == "MountVolume.MountOptionSupport check failed for volume \"pv-host\" : Mount options are not supported for this volume type"
            )
            #expect(
                try await shelf.told("odd").hasPrefix("MountVolume.SetUp failed for volume \"pv-odd\" : mount failed: bad option \"foo\""))
        }
    }

    @Test("a volume with the mount option ro is read-only, and no group is given it")
    func readOnly() async throws {
        try await Shelf.with { shelf in
            try await shelf.claim("a", ["local": ["path": .string(shelf.folder)], "mountOptions": ["ro"]])
            let pod = try await shelf.pod("a", "a", group: Int(getgid()))
            try await eventually("it runs") { try await shelf.node.isRunning("a") }
            let binds = try #require(shelf.node.sandboxes.shim(pod.uid)?.specs.first?.binds)
            #expect(binds.first { $0.target == "/e" }?.readOnly == true)
            #expect(try mode(shelf.folder) & 0o2000 == 0)
        }
    }

    private func mode(_ path: String) throws -> mode_t {
        var info = stat()
        try #require(lstat(path, &info) == 0)
        return info.st_mode & 0o7777
    }

    @Test("a local volume's files are given to the pod's group, links not followed; those of a hostPath are not", arguments: [true, false])
    func group(_ isLocal: Bool) async throws {
        try await Shelf.with { shelf in
            let outside = "\(shelf.folder)-outside"
            defer { Files.removeTree(outside) }
            try Files.write([], to: outside, mode: 0o600)
            try Files.makeDirectory("\(shelf.folder)/v/below", mode: 0o700)
            try Files.write([], to: "\(shelf.folder)/v/below/file", mode: 0o600)
            symlink(outside, "\(shelf.folder)/v/link")
            let source: JSON = ["path": .string("\(shelf.folder)/v")]
            try await shelf.claim("a", isLocal ? ["local": source] : ["hostPath": source])
            _ = try await shelf.pod("a", "a", group: Int(getgid()))
            try await eventually("it runs") { try await shelf.node.isRunning("a") }
            #expect(try mode("\(shelf.folder)/v") & 0o2070 == (isLocal ? 0o2070 : 0o050))
            #expect(try mode("\(shelf.folder)/v/below") == (isLocal ? 0o2770 : 0o700))
            #expect(try mode("\(shelf.folder)/v/below/file") == (isLocal ? 0o660 : 0o600))
            #expect(try mode(outside) == 0o600)
        }
    }

    @Test("of two pods on the claim of one pod the second waits, whoever chose its node, until the first has gone")
    func exclusive() async throws {
        try await Shelf.with { shelf in
            try await shelf.claim("a", access: "ReadWriteOncePod", ["local": ["path": .string(shelf.folder)]])
            let first = try await shelf.pod("a", "a")
            try await eventually("the first runs") { try await shelf.node.isRunning("a") }
            _ = try await shelf.pod("b", "a")
            let words = "volume uses the ReadWriteOncePod access mode and is already in use by another pod"
            try await shelf.node.passing(until: "the second is told") {
                try await shelf.node.events("FailedMount").contains {
                    $0["message"].string == "MountVolume.SetUp failed for volume \"pv-a\" : \(words)"
                }
            }
            #expect(shelf.node.sandboxes.created == 1)
            try await shelf.node.api.delete(.pods, first.key)
            try await shelf.node.passing(until: "the second runs") { try await shelf.node.isRunning("b") }
        }
    }
}
