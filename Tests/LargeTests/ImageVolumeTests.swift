import Foundation
import Glibc
import Host
import ImageCases
import Model
import Runtime
import Testing

@Suite("[Serial] images as volumes", .serialized, .printsClusters)
struct ImageVolumeTests {
    private static let app = "app.example/volume/app:1"

    /// A shell whose image has volumes of its own.
    private static func image() throws -> MadeImage {
        var base = TarFile()
        base.add("bin/busybox", bytes: try Files.read("/bin/busybox"), mode: 0o755)
        for name in ["sh", "cat", "sleep", "echo", "touch", "stat", "ls"] { base.add("bin/\(name)", type: "2", link: "busybox") }
        base.directory("run")
        base.add("link", type: "2", link: "/run")
        base.directory("data", mode: 0o2775)
        base.add("data/kept", "kept\n")
        var image = MadeImage([base])
        image.configuration = [
            "Env": ["PATH=/bin"], "Volumes": ["/data": .emptyObject, "made/here": .emptyObject, "/link/volume": .emptyObject],
        ]
        return image
    }

    private static func pod(_ name: String, _ reference: String, _ mount: String, _ script: String) -> String {
        """
        apiVersion: v1
        kind: Pod
        metadata: {name: \(name), namespace: default}
        spec:
          terminationGracePeriodSeconds: 1
          volumes: [{name: v, image: {reference: "\(reference)"}}]
          containers:
          - name: app
            image: \(app)
            command: [sh, -c, '\(script); sleep 1000']
            volumeMounts: [\(mount)]
        """
    }

    @Test(
        "a volume shows an image from its registry, a part of it too; nobody writes or runs there, and the image stays while the pod does")
    func shown() throws {
        let registry = try Registry(port: 5911), data = "\(registry.host)/data:1"
        let archive = "\(registry.directory)/app.tar"
        try Files.write(try MadeImage.dockerArchive([(try Self.image(), [Self.app])]), to: archive)
        defer {
            Shell.minik("image rm \(Self.app) \(data)")
            Shell.minik("image prune")
        }
        try #require(Shell.minik("image load \(archive)").isSuccess)
        try WordImage.with([]) { archive in try #require(registry.push(archive, "data:1").isSuccess) }
        let script =
            "exec 2>/dev/null; cat /v/etc/word /part/word /file /linked; touch /v/x || echo unwritten; /v/bin/busybox echo ran || echo unrun; cat /data/kept; stat -c %a /data /made/here /run/volume"
        let mounts =
            "{name: v, mountPath: /v}, {name: v, mountPath: /part, subPath: etc}, {name: v, mountPath: /linked, subPath: current/etc/word}, {name: v, mountPath: /file, subPath: etc/word}"
        let pods = [
            Self.pod("a", data, mounts, script), Self.pod("absent", "\(registry.host)/none:1", "{name: v, mountPath: /v}", "echo no"),
            Self.pod("part", data, "{name: v, mountPath: /v, subPath: none}", "echo no"),
        ]
        let file = try ClusterFiles.write(ClusterFiles.cluster("volumes", subnet: 219))
        try TestCluster.with(file, name: "volumes") { cluster in
            try #require(cluster.minik("apply -f \(try ClusterFiles.write(pods.joined(separator: "\n---\n")))").isSuccess)
            let said = try Shell.eventually(seconds: 30) {
                let log = cluster.minik("logs a").output
                return log.contains("kept") && log.split(separator: "\n").count >= 10 ? log : nil
            }
            let word = "from a registry\n"
            for line in ["\(word)\(word)\(word)\(word)", "\nunwritten\n", "\nunrun\n", "\nkept\n2775\n755\n755\n"] {
                #expect(said.contains(line), "\(said)")
            }
            func waiting(_ pod: String) throws -> JSON {
                try Shell.json("\(Shell.minik) get pod \(pod) --cluster volumes -o json")["status"]["containerStatuses"][0]["state"][
                    "waiting"]
            }
            let absent = try Shell.eventually(seconds: 20) {
                let state = try waiting("absent")
                return ["ErrImagePull", "ImagePullBackOff"].contains(state["reason"].string) ? state : nil
            }
            #expect(absent["message"].string?.contains("\(registry.host)/none:1: not found") == true, "\(absent)")
            let part = try Shell.eventually(seconds: 20) {
                let state = try waiting("part")
                return state["reason"].string == "CreateContainerConfigError" ? state : nil
            }
            #expect(part["message"].string?.contains("subPath none: no such file or directory") == true, "\(part)")
            let refused = Shell.minik("image rm \(data)")
            #expect(refused.status == 1 && refused.errors.contains("is in use by pod default/"), "\(refused)")
            #expect(!Shell.minik("image prune --all").output.contains(data))
            #expect(cluster.minik("delete pod a absent part").isSuccess)
            #expect(Shell.minik("image rm \(data)").isSuccess)
        }
    }
}
