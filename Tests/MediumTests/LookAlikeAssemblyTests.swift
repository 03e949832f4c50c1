import Foundation
import Glibc
import Host
import Images
import Model
import Runtime
import Testing

@Suite("minik's look-alikes are assembled: whole or not at all, once, and anew when what they are made of changes")
struct LookAlikeAssemblyTests {
    private static let program = "/usr/bin/env"
    private static let text = """
        name: web
        packages: {minik-no-such-package: [/usr/bin/env, /usr/share/web]}
        directories: [{path: /data, mode: "0700", owner: "7:8"}]
        links: {/bin/other: env}
        files: [{path: /run.sh, text: "#!/bin/sh\\n", mode: "0755"}]
        joined: {/etc/all: /usr/share/web}
        users: [{name: web, id: 7, group: 8, home: /data}]
        config: {Cmd: [/run.sh], User: web}
        """

    /// A machine on which the package is installed, and its look-alikes.
    private static func machine(_ folder: borrowing StoreFolder) throws -> LookAlikes {
        let root = "\(folder.directory)/machine"
        for directory in ["info", "usr/bin", "usr/share/web"] { try Files.makeDirectory("\(root)/\(directory)") }
        symlink("usr/lib64", "\(root)/lib64")
        try Files.write("1", to: "\(root)/info/minik-no-such-package.list")
        for name in ["a", "b"] { try Files.write("\(name)\n", to: "\(root)/usr/share/web/\(name)") }
        try copy(program, to: root)
        let recipe = try RecipeBook.recipe(Array(text.utf8), file: "web.yaml")
        return LookAlikes(store: folder.store, machine: PackageTree(root: root, database: "\(root)/info")) { [recipe] }
    }

    /// A program of the real machine, with what it needs.
    private static func copy(_ path: String, to root: String) throws {
        let bytes = try Files.read(path), file = try #require(ELFFile(bytes))
        let target = path.hasPrefix("/lib") ? "\(root)/usr\(path)" : root + path
        try Files.makeDirectory(target.split(separator: "/").dropLast().map { "/\($0)" }.joined())
        try Files.write(bytes, to: target, mode: 0o755)
        let needed = file.needed + (file.needed.contains("libc.so.6") ? ["libgcc_s.so.1"] : [])
        for name in needed where !name.contains("/") {
            let library = try #require(PackageTree().library(name, for: path, file))
            if !Files.exists(root + library) { try copy(library, to: root) }
        }
        if let loader = file.interpreter, !Files.exists(root + loader) { try copy(loader, to: root) }
    }

    private static func mode(_ path: String) -> (mode: UInt32, user: UInt32, group: UInt32) {
        var info = stat()
        lstat(path, &info)
        return (info.st_mode & 0o7777, info.st_uid, info.st_gid)
    }

    @Test("an image has what its recipe says, with the libraries that its programs need")
    func whole() throws {
        let folder = try StoreFolder(), lookAlikes = try Self.machine(folder), recipe = try #require(try lookAlikes.recipes.first)
        let web = try #require(ImageReference("web:3"))
        #expect(try lookAlikes.resolve(web)?.isStillToBeMade == true)
        try lookAlikes.assemble(recipe)
        let image = try #require(try lookAlikes.resolve(web)), root = try #require(image.layers.first)
        #expect(!image.isStillToBeMade && image.configuration.command == ["/run.sh"] && image.configuration.user == "web")
        #expect(image.digest == nil && image.statusID(web) == image.id && image.configuration.labels == ["dev.minik.look-alike": "web"])
        #expect(image.text("etc/all") == "a\nb\n" && image.text("etc/passwd")?.contains("web:x:7:8:web:/data:/bin/sh\n") == true)
        #expect(Self.mode("\(root)/data") == (0o700, 7, 8) && Self.mode("\(root)/tmp") == (0o1777, 0, 0))
        #expect(Self.mode("\(root)/run.sh").mode == 0o755 && Self.mode("\(root)/usr/bin/env").mode == 0o755)
        let run = ["/usr/sbin/chroot", root, "/bin/other", "A=b", "/usr/bin/env"]
        let output = "\(folder.directory)/output", file = open(output, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        let pid = SmallProgram.spawn(run, environment: [], stdio: [-1, file, file])
        close(file)
        #expect(pid > 0)
        while waitpid(pid, nil, 0) < 0, errno == EINTR {}
        #expect(Files.text(output) == "A=b\n", "the program runs with nothing but the image around it")
        #expect(Files.list("\(folder.directory)/store/pulls") == [] && Files.list("\(folder.directory)/store/staging") == [])
    }

    @Test("it is made once; anew when its package changes; what a pod has stays")
    func anew() throws {
        let folder = try StoreFolder(), lookAlikes = try Self.machine(folder), recipe = try #require(try lookAlikes.recipes.first)
        let web = try #require(ImageReference("web")), first = try lookAlikes.assemble(recipe)
        #expect(try lookAlikes.assemble(recipe).loaded.description == first.loaded.description)
        #expect(try folder.store.prune(all: false).images.isEmpty)
        let use = ImageUse(
            state: "\(folder.directory)/clusters/lab/pods/u-1", container: "web", pod: ObjectKey("default", "web-1"))
        #expect(try lookAlikes.resolve(web, for: use)?.id == first.id.description)
        // Upgraded, with the same files in it.
        try Files.write("22", to: "\(folder.directory)/machine/info/minik-no-such-package.list")
        #expect(try lookAlikes.resolve(web)?.isStillToBeMade == true)
        #expect(try lookAlikes.assemble(recipe).digest == first.digest, "the same files make the same image")
        #expect(try lookAlikes.resolve(web)?.isStillToBeMade == false)
        try Files.write("333", to: "\(folder.directory)/machine/info/minik-no-such-package.list")
        try Files.write("new\n", to: "\(folder.directory)/machine/usr/share/web/a")
        let second = try lookAlikes.assemble(recipe)
        #expect(second.digest != first.digest)
        #expect(Set(try folder.store.records().images.map(\.digest)) == [first.digest, second.digest], "a pod has the first")
        let other = ImageUse(
            state: "\(folder.directory)/clusters/lab/pods/u-1", container: "web", pod: ObjectKey("default", "web-1"))
        #expect(try lookAlikes.resolve(web, for: other)?.id == second.id.description)
        #expect(throws: ImageError.self) { try folder.store.remove(["web"]) }
        #expect(try folder.store.prune(all: false).images.map(\.digest) == [first.digest])
        Files.removeTree("\(folder.directory)/clusters")
        #expect(try folder.store.remove(["web:5"]).names == ["docker.io/library/web"])
        #expect(folder.contents == [])
        #expect(try lookAlikes.resolve(web)?.isStillToBeMade == true)
    }

    @Test("a program of minik's is a layer that images share, with what it needs; a newer program makes newer images")
    func programs() throws {
        let folder = try StoreFolder(), own = "\(folder.directory)/own"
        try Files.write(try Files.read(Self.program), to: own, mode: 0o755)
        let recipes = try ["web", "mail"].map { name in
            try RecipeBook.recipe(Array("name: \(name)\nprograms: {/opt/\(name)d: minik}\nconfig: {Cmd: [/opt/\(name)d]}".utf8), file: name)
        }
        let lookAlikes = LookAlikes(store: folder.store, book: { recipes }, programs: { _ in own })
        for recipe in recipes { try lookAlikes.assemble(recipe) }
        let web = try #require(ImageReference("web")), mail = try #require(ImageReference("mail"))
        let images = try [web, mail].map { try #require(try lookAlikes.resolve($0)) }
        #expect(images.allSatisfy { $0.layers.count == 2 } && images[0].layers[0] == images[1].layers[0])
        #expect(images[0].layers[1] != images[1].layers[1])
        let path = try FileManager.default.destinationOfSymbolicLink(atPath: images[0].layers[1] + "/opt/webd")
        let alone = [
            "/usr/sbin/chroot", images[0].layers[0], path, "A=b", path,
        ]
        let output = "\(folder.directory)/output", file = open(output, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        let pid = SmallProgram.spawn(alone, environment: [], stdio: [-1, file, file])
        close(file)
        #expect(pid > 0)
        while waitpid(pid, nil, 0) < 0, errno == EINTR {}
        #expect(Files.text(output) == "A=b\n", "the layer has all that the program needs")
        try Files.write(try Files.read("/usr/bin/true"), to: own, mode: 0o755)
        #expect(try lookAlikes.resolve(web)?.isStillToBeMade == true)
        try lookAlikes.assemble(recipes[0])
        #expect(try lookAlikes.resolve(web)?.layers[0] != images[0].layers[0])
    }

    @Test("what cannot be had is said with what to do, and leaves nothing; an older one does in its place", .timeLimit(.minutes(3)))
    func lacking() async throws {
        let folder = try StoreFolder(), lookAlikes = try Self.machine(folder), recipe = try #require(try lookAlikes.recipes.first)
        let program = "\(folder.directory)/machine/usr/bin/env", bytes = try Files.read(program)
        unlink(program)
        // apt takes its time to find out; other tests have the shared threads meanwhile.
        let error = try await #require(throws: ImageError.self) {
            try await SmallProgram.blocking { _ = try lookAlikes.assemble(recipe) }
        }
        #expect(error.message.contains("library/web is made of Debian's packages, which could not be fetched"), "\(error)")
        #expect(error.hint?.contains("load or pull the real image") == true)
        #expect(folder.contents == [] && Files.list("\(folder.directory)/store/pulls") == [])
        try Files.write(bytes, to: program, mode: 0o755)
        let old = try lookAlikes.assemble(recipe), web = try #require(ImageReference("web"))
        unlink(program)
        try Files.write("22", to: "\(folder.directory)/machine/info/minik-no-such-package.list")
        #expect(try lookAlikes.resolve(web)?.isStillToBeMade == true)
        let (digest, told) = try await SmallProgram.blocking {
            var told: [String] = []
            return (try lookAlikes.assemble(recipe) { told.append($0) }.digest, told)
        }
        #expect(digest == old.digest && told.last?.contains("is an older one") == true)
        #expect(try lookAlikes.resolve(web)?.isStillToBeMade == false, "no pod waits for another try for a while")
    }
}
