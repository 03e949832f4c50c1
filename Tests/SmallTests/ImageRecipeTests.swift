import Foundation
import Host
import Images
import Model
import Runtime
import Testing

@Suite("minik's look-alikes: what recipes say, and who gets one")
struct ImageRecipeTests {
    private func recipe(_ text: String) throws -> ImageRecipe { try RecipeBook.recipe(Array(text.utf8), file: "web.yaml") }

    @Test("every recipe can be read, stands in the book, and no two answer to one name")
    func book() throws {
        let directory = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Sources/Images/LookAlikes/Recipes").path
        let recipes = try RecipeBook.recipes
        #expect(Files.list(directory) == recipes.map { "\($0.name).yaml" })
        let answers = recipes.flatMap { ["docker.io/library/\($0.name)"] + $0.answers }
        #expect(Set(answers).count == answers.count)
        for answer in answers { #expect(ImageReference(answer)?.description == "\(answer):latest", "\(answer) is a whole repository") }
        for recipe in recipes { #expect(!recipe.config["Cmd"].isNull || !recipe.config["Entrypoint"].isNull, "\(recipe.name)") }
    }

    @Test(
        "a look-alike answers to the names of its public image with any tag, in mirrors too; what may be somebody's own is pulled",
        arguments: [
            ("nginx", "nginx"), ("nginx:1.27-alpine", "nginx"), ("docker.io/nginx:1", "nginx"),
            ("mirror.example:5000/library/nginx", "nginx"),
            ("public.ecr.aws/docker/library/httpd:2.4", "httpd"), ("registry.k8s.io/nginx-slim:0.24", "nginx"),
            ("registry.k8s.io/e2e-test-images/busybox:1.36", "busybox"), ("registry.k8s.io/pause:3.9", "pause"),
            ("curlimages/curl", "curl"), ("quay.io/curl/curl", "curl"), ("nicolaka/netshoot:v0.13", "netshoot"),
            ("hashicorp/http-echo:0.2.3", "http-echo"), ("redis:7-alpine", "redis"), ("registry:2", "registry"), ("alpine:3", "alpine"),
            ("ghcr.io/flannel-io/flannel:v0.27.4", "flannel"), ("quay.io/coreos/flannel:v0.11.0-amd64", "flannel"),
            ("ghcr.io/flannel-io/flannel-cni-plugin:v1.8.0-flannel1", "flannel-cni-plugin"),
            ("ghcr.io/acme/nginx:custom", nil), ("bitnami/nginx", nil), ("acme/library/nginx", nil), ("registry.example/nginx", nil),
            ("localhost:5000/nginx", nil), ("localhost/httpd", nil), ("acme/curl", nil), ("nginx-unprivileged", nil), ("python", nil),
            ("registry.k8s.io/nginx-slim-too", nil), ("nginx@sha256:" + String(repeating: "0a", count: 32), nil),
            ("nginx:1@sha256:" + String(repeating: "0a", count: 32), nil),
        ] as [(String, String?)])
    func answers(_ name: String, _ expected: String?) throws {
        let reference = try #require(ImageReference(name))
        #expect(try RecipeBook.recipes.filter { $0.answers(reference) }.map(\.name) == (expected.map { [$0] } ?? []))
    }

    @Test("a recipe is read whole")
    func whole() throws {
        let recipe = try recipe(
            """
            name: web
            answers: [docker.io/team/web]
            packages: {nginx: [/usr/sbin/nginx], bash: [/usr/bin/bash]}
            applets: true
            programs: {/opt/bin/webd: minik, /plugin: minik-cni}
            directories: [{path: /data, mode: "0700", owner: "7:8"}, {path: /var/x}]
            links: {/log: /dev/stdout}
            files: [{path: /run.sh, text: "#!/bin/sh\\n", mode: "0755"}]
            joined: {/etc/all: /usr/share/all}
            users: [{name: web, id: 7, group: 8, home: /data}]
            config: {Cmd: [/run.sh], User: web}
            """)
        #expect(recipe.title == "docker.io/team/web" && recipe.hasApplets && recipe.packages["nginx"] == ["/usr/sbin/nginx"])
        #expect(recipe.directories.map(\.mode) == [0o700, 0o755] && recipe.directories[0].user == 7 && recipe.directories[0].group == 8)
        #expect(recipe.programs == ["/opt/bin/webd": "minik", "/plugin": "minik-cni"])
        #expect(recipe.links == ["/log": "/dev/stdout"] && recipe.joined == ["/etc/all": "/usr/share/all"])
        #expect(recipe.files.first?.mode == 0o755 && recipe.users.first?.group == 8 && recipe.config["User"].string == "web")
        #expect(try self.recipe("name: web").digest != recipe.digest, "another text is another recipe")
    }

    @Test(
        "what no recipe may say",
        arguments: [
            ("{}", "name is missing"), ("name: a\nports: [80]", "unknown field \"ports\""),
            ("name: a\nfiles: [{path: /a, text: b, user: 1}]", "unknown field \"user\""),
            ("name: a\nfiles: [{path: a, text: b}]", "\"a\" is no whole path"),
            ("name: a\nlinks: {/../a: b}", "\"/../a\" is no whole path"), ("name: a\npackages: {nginx: []}", "packages.nginx: no path"),
            ("name: a\npackages: {nginx: [/etc/nginx]}", "\"/etc/nginx\" is not below /usr"),
            ("name: a\ndirectories: [{path: /a, mode: 755}]", "755 is no mode"),
            ("name: a\ndirectories: [{path: /a, owner: root}]", "an owner is two numbers"),
            ("name: a\nprograms: {/a: env}", "programs: /a: \"env\" is no program of minik's"),
            ("name: a\nprograms: {/a: minik/../../env}", "is no program of minik's"), ("name: a\nprograms: {a: minik}", "no whole path"),
            ("name: a\nusers: [{name: a, id: -1}]", "an id is a number"),
        ])
    func refused(_ text: String, _ words: String) throws {
        let error = try #require(throws: ImageError.self) { try recipe(text) }
        #expect(error.message.contains(words), "\(error)")
    }

    @Test("a program says what it needs to be loaded; one that is cut off anywhere says less, and harms nobody")
    func program() throws {
        let bytes = try Files.read("/usr/bin/env"), file = try #require(ELFFile(bytes))
        #expect(file.needed.contains("libc.so.6") && file.interpreter?.contains("/ld-") == true)
        #expect(ELFFile(Array("#!/bin/sh\n".utf8)) == nil && ELFFile([]) == nil)
        for length in stride(from: 0, to: bytes.count, by: 97) { _ = ELFFile(Array(bytes[..<length])) }
        var wild = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            var damaged = bytes
            for _ in 0..<8 { damaged[Int.random(in: 4..<4096, using: &wild)] = UInt8.random(in: 0...255, using: &wild) }
            _ = ELFFile(damaged)
        }
    }

    @Test("packages are this machine's where each of them is installed with what is wanted of it")
    func packages() throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "packages-\(UUID().uuidString)").path
        defer { Files.removeTree(root) }
        let recipe = try recipe("name: web\npackages: {nginx: [/usr/sbin/nginx], bash: [/usr/bin/bash]}")
        let tree = PackageTree(root: root, database: "\(root)/info")
        for directory in ["info", "usr/sbin", "usr/bin", "usr/lib"] { try Files.makeDirectory("\(root)/\(directory)") }
        #expect(!tree.has(recipe))
        for path in ["info/nginx.list", "usr/sbin/nginx", "usr/bin/bash"] { try Files.write("x", to: "\(root)/\(path)") }
        #expect(!tree.has(recipe) && tree.hasInstalled("nginx") && !tree.hasInstalled("bash"))
        try Files.write("x", to: "\(root)/info/bash.list")
        let stamp = tree.stamp(["nginx", "bash"])
        #expect(tree.has(recipe) && stamp == tree.stamp(["bash", "nginx"]))
        try Files.write("upgraded", to: "\(root)/info/nginx.list")
        #expect(tree.stamp(["nginx", "bash"]) != stamp)
        // A package that was removed may leave its list behind.
        unlink("\(root)/usr/sbin/nginx")
        #expect(!tree.has(recipe))
    }

    @Test("one that is not assembled yet is to be made, whatever the policy, and no container has it before")
    func toBeMade() throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "images-\(UUID().uuidString)").path
        defer { Files.removeTree(root) }
        let lookAlikes = LookAlikes(store: ImageStore(directory: root)), nginx = try #require(ImageReference("nginx:1"))
        let image = try #require(try lookAlikes.resolve(nginx))
        #expect(image.isStillToBeMade)
        for policy in [ImagePullPolicy.always, .ifNotPresent, .never] { #expect(policy.decide(nginx, present: image) == .pull) }
        let use = ImageUse(state: "\(root)/pod", container: "c", pod: ObjectKey("default", "p"))
        #expect(try lookAlikes.resolve(nginx, for: use) == nil && use.digest == nil)
        #expect(try lookAlikes.resolve(try #require(ImageReference("python"))) == nil)
        #expect(lookAlikes.listings().isEmpty)
    }

    @Test("of two images that were assembled for one name the later one is the look-alike; people find it by that name")
    func records() throws {
        func record(_ letter: Character, _ stamp: String?) throws -> ImageRecord {
            let digest = try #require(ContentDigest(hex: String(repeating: letter, count: 64)))
            let mark = stamp.map { ImageRecord.LookAlike(title: "docker.io/library/nginx", stamp: $0) }
            return ImageRecord(digest: digest, manifest: digest, id: digest, names: [], loaded: Timestamp(seconds: 1), lookAlike: mark)
        }
        var records = ImageRecords()
        records.add(try record("a", "1"))
        records.add(try record("b", "2"))
        #expect(records.lookAlike("docker.io/library/nginx")?.lookAlike?.stamp == "2")
        #expect(records.images.map { $0.lookAlike == nil } == [true, false])
        #expect(try records.find("nginx:1.27").digest.hex.first == "b")
        #expect(try ImageRecords(records.json) == records, "as it is written it is read")
        records.add(try record("a", nil))
        #expect(records.images.count == 2 && records.lookAlike("docker.io/library/nginx")?.digest.hex.first == "b")
        // A registry's own image of that name comes first.
        var pulled = try record("c", nil)
        pulled.names = ["docker.io/library/nginx:1.27"]
        records.add(pulled)
        #expect(try records.find("nginx:1.27").digest.hex.first == "c" && records.find("nginx").digest.hex.first == "b")
    }

    @Test("a pod that wants one has it assembled; an image that is nobody's look-alike is its registry's, and so is one pulled before")
    func service() async throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "images-\(UUID().uuidString)").path
        defer { Files.removeTree(root) }
        let registry = FakeRegistry()
        registry.push("docker.io/library/python:latest", size: 7)
        let service = LookAlikeService(LookAlikes(store: ImageStore(directory: root)), otherwise: registry)
        #expect(try await service.pull(try #require(ImageReference("python")), as: nil) { _ in }.size == 7)
        let digest = "nginx@sha256:" + String(repeating: "0a", count: 32)
        await #expect(throws: FakeRegistry.Refused.self) { try await service.pull(try #require(ImageReference(digest)), as: nil) { _ in } }
        #expect(registry.calls.count == 2)
    }
}
