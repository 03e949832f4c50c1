import Foundation
import Host
import ImageCases
import Images
import Model
import Runtime
import Testing

@Suite("[Serial] images that were loaded", .serialized, .printsClusters)
struct LoadedImageTests {
    /// busybox, a user, and a program that says who runs it and where.
    private static func image() throws -> MadeImage {
        var base = TarFile(), app = TarFile()
        base.add("bin/busybox", bytes: try Files.read("/bin/busybox"), mode: 0o755)
        for name in ["sh", "id", "cat", "sleep", "echo", "pwd"] { base.add("bin/\(name)", type: "2", link: "busybox") }
        base.add("etc/passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:1234:2345:app:/home/app:/bin/sh\n")
        base.add("etc/group", "root:x:0:\napp:x:2345:\nmore:x:3456:app\n")
        base.add("etc/gone", "of the lower layer\n")
        app.add("etc/.wh.gone")
        app.add(
            "app/run",
            "#!/bin/sh\ntrap 'echo stopped by USR1; exit 0' USR1\necho \"$GREETING $(id -u):$(id -G) $(pwd) $*\"\ncat /etc/gone\nwhile :; do sleep 0.1; done\n",
            mode: 0o755)
        var image = MadeImage([base, app])
        image.configuration = [
            "Entrypoint": ["/app/run"], "Cmd": ["as", "built"], "Env": ["PATH=/bin", "GREETING=hello"], "WorkingDir": "/made/for/it",
            "User": "app", "StopSignal": "SIGUSR1", "Labels": ["org.example.test": "yes"],
        ]
        return image
    }

    /// Removes what a test has loaded.
    private static func with(_ name: String, _ body: (String) throws -> Void) throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "image-\(UUID().uuidString).tar").path
        defer {
            unlink(file)
            Shell.minik("image rm \(name)")
            Shell.minik("image prune")
        }
        try Files.write(try MadeImage.dockerArchive([(try image(), [name])]), to: file)
        try body(file)
    }

    private static func pod(_ name: String, _ image: String) -> String {
        """
        apiVersion: v1
        kind: Pod
        metadata: {name: \(name), namespace: default}
        spec:
          terminationGracePeriodSeconds: 5
          containers: [{name: app, image: "\(image)", imagePullPolicy: Never}]
        """
    }

    @Test("a pod runs from what was loaded, as the image says; it keeps it, and what is not there is ErrImageNeverPull")
    func runs() throws {
        try Self.with("app.example/team/app:dev") { archive in
            let loaded = Shell.minik("image load \(archive)")
            #expect(loaded.isSuccess && loaded.output == "Loaded image: app.example/team/app:dev\n", "\(loaded)")
            let file = try ClusterFiles.write(ClusterFiles.cluster("images", subnet: 219))
            try TestCluster.with(file, name: "images") { cluster in
                let digest = try Shell.json("\(Shell.minik) image inspect app.example/team/app:dev")[0]["RepoDigests"][0].string ?? ""
                let unknown = "busybox@sha256:\(String(repeating: "0", count: 64))"
                let pods = [
                    Self.pod("app", "app.example/team/app:dev"), Self.pod("digest", digest), Self.pod("never", "app.example/other:1"),
                    Self.pod("alike", unknown),
                ]
                #expect(cluster.minik("apply -f \(try ClusterFiles.write(pods.joined(separator: "\n---\n")))").isSuccess)
                for name in ["app", "digest"] {
                    let said = try Shell.eventually(seconds: 20) {
                        let log = cluster.minik("logs \(name)").output
                        return log.contains("No such file") ? log : nil
                    }
                    #expect(said.hasPrefix("hello 1234:2345 3456 /made/for/it as built\n"), "\(said)")
                }
                let status = try Shell.json("\(Shell.minik) get pod app --cluster images -o json")["status"]["containerStatuses"][0]
                #expect(status["imageID"].string == digest && status["image"].string == "app.example/team/app:dev", "\(status)")
                for (name, image) in [("never", "app.example/other:1"), ("alike", unknown)] {
                    let waiting = try Shell.eventually(seconds: 10) {
                        let pod = try Shell.json("\(Shell.minik) get pod \(name) --cluster images -o json")
                        let waiting = pod["status"]["containerStatuses"][0]["state"]["waiting"]
                        return waiting["reason"].string == "ErrImageNeverPull" ? waiting : nil
                    }
                    #expect(waiting["message"].string == "Container image \"\(image)\" is not present with pull policy of Never")
                }
                let refused = Shell.minik("image rm app.example/team/app:dev")
                #expect(refused.status == 1 && refused.errors.contains("is in use by pod default/"), "\(refused)")
                // The image's signal ends it at once.
                let ended = Shell.run("time -p \(Shell.minik) delete pod app digest --cluster images", seconds: 20)
                let took = ended.errors.split(separator: "\n").first { $0.hasPrefix("real ") }.flatMap { Double($0.dropFirst(5)) }
                #expect(ended.isSuccess && took ?? 9 < 4, "\(ended)")
                #expect(Shell.minik("image rm app.example/team/app:dev").output.contains("Untagged: app.example/team/app:dev"))
            }
        }
    }

    @Test("without a cluster: ls, inspect, history and tag tell of an image; what skopeo writes is the same one")
    func commands() throws {
        try Self.with("app.example/cli:1") { archive in
            #expect(Shell.run("cat \(archive) | gzip | \(Shell.minik) image load -t app.example/cli:2 -").isSuccess)
            #expect(Shell.minik("image tag app.example/cli:2 app.example/cli:1").isSuccess)
            let list = Shell.minik("image ls").output
            for words in ["REPOSITORY", "app.example/cli ", "loaded", "docker.io/library/busybox", "built-in"] {
                #expect(list.contains(words), "\(list)")
            }
            let inspected = try Shell.json("\(Shell.minik) image inspect app.example/cli:1")[0]
            #expect(inspected["Config"]["Labels"]["org.example.test"].string == "yes" && inspected["RootFS"]["Layers"].items.count == 2)
            #expect(inspected["RepoTags"].items.compactMap(\.string) == ["app.example/cli:1", "app.example/cli:2"])
            #expect(Shell.minik("image history app.example/cli:1").output.contains("COPY layer 1 /"))
            #expect(try Shell.json("\(Shell.minik) image history -o json app.example/cli:1").items.count == 3)
            let again = "\(archive).oci"
            defer { unlink(again) }
            let copied = Shell.run("skopeo copy -q docker-archive:\(archive) oci-archive:\(again):app.example/cli:oci", seconds: 60)
            try #require(copied.isSuccess, "\(copied)")
            #expect(Shell.minik("image load \(again)").output == "Loaded image: app.example/cli:oci\n")
            #expect(try Shell.json("\(Shell.minik) image inspect app.example/cli:oci")[0]["RootFS"] == inspected["RootFS"])
            let removed = Shell.minik("image rm app.example/cli:oci app.example/cli:2")
            #expect(removed.isSuccess, "\(removed)")
            let gone = Shell.minik("image inspect app.example/cli:2")
            #expect(gone.status == 1 && gone.errors.contains("there is no image \"app.example/cli:2\""), "\(gone)")
        }
    }

    @Test("kill -9 in the middle of a load leaves no image, no process and, after the next command, no file")
    func killed() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "image-\(UUID().uuidString).tar").path
        defer { unlink(file) }
        var layer = TarFile()
        for number in 0..<4000 { layer.add("f/\(number)", "\(number)") }
        layer.add("large", bytes: [UInt8](repeating: 7, count: 200 << 20))
        try Files.write(try MadeImage.dockerArchive([(MadeImage([layer]), ["app.example/killed:1"])]), to: file)
        let before = Shell.minik("image ls").output, store = "/var/lib/minik/images"
        let files = Shell.run("find \(store)/blobs \(store)/layers -maxdepth 2 | sort").output
        var hits = 0
        for pause in ["0.1", "0.3", "0.5", "0.8"] {
            let result = Shell.run("timeout -s KILL \(pause) \(Shell.minik) image load \(file)")
            if result.status == 137 { hits += 1 }
            // A write that is on its way to the disk ends first.
            let isAlone = try Shell.eventually { Shell.run("pgrep -x minik-unpack").output.isEmpty ? true : nil }
            #expect(isAlone, "after \(pause) s")
            if result.status == 137 { #expect(Shell.minik("image ls").output == before) }
        }
        #expect(hits > 0)
        Shell.minik("image rm app.example/killed:1")
        Shell.minik("image prune")
        #expect(Shell.run("ls \(store)/staging").output == "")
        #expect(files.isEmpty || Shell.run("find \(store)/blobs \(store)/layers -maxdepth 2 | sort").output == files)
    }
}
