import Glibc
import Host
import Model
import Runtime

extension LookAlikes {
    /// Assembles an image, unless it is there; blocks until it is. It appears whole or not at all, and one is made at a time on this
    /// machine. `tell` hears what takes long.
    @discardableResult
    package func assemble(
        _ recipe: ImageRecipe, running: RunningProgram = RunningProgram(), tell: @escaping (String) -> Void = { _ in }
    ) throws -> ImageRecord {
        try store.places.make()
        let lock = try StoreLock("\(store.places.root)/assembly.lock")
        let record = try assembleAlone(recipe, running, tell)
        lock.release()
        return record
    }

    private func assembleAlone(_ recipe: ImageRecipe, _ running: RunningProgram, _ tell: @escaping (String) -> Void) throws -> ImageRecord {
        // Another one may have made it meanwhile.
        if running.isStopped { throw CancellationError() }
        if let record = try current(recipe) { return record }
        let old = try store.records().lookAlike(recipe.title), folder = try PullFolder(below: store.places.root)
        defer { folder.remove() }
        do {
            let record = try make(recipe, in: folder.path, QuietProgram(log: "\(folder.path)/log", running: running), tell)
            if let old, old.manifest != record.manifest { try store.drop(old.manifest) }
            return record
        } catch {
            guard let old, !(error is CancellationError) else { throw error }
            // Better than none, on a machine that has lost its network since.
            noteFailure(recipe)
            tell("The look-alike of \(recipe.title) is an older one: a newer one could not be made: \(error)")
            return old
        }
    }

    private func make(_ recipe: ImageRecipe, in folder: String, _ program: QuietProgram, _ tell: @escaping (String) -> Void) throws
        -> ImageRecord
    {
        let source = try source(recipe, in: folder, program, tell)
        var trees: [AssembledLayout.Tree] = []
        for name in Set(recipe.programs.values).sorted() {
            let tree = try ImageTree(making: "\(folder)/\(name)")
            try ImageAssembly.lay(name, from: programs(name), into: tree)
            trees.append(AssembledLayout.Tree(path: tree.root, isPacked: false))
        }
        let tree = try ImageTree(making: "\(folder)/tree")
        try ImageAssembly(recipe: recipe, packages: source.packages, busybox: source.busybox, tree: tree).run()
        trees.append(AssembledLayout.Tree(path: tree.root, isPacked: true))
        if program.running.isStopped { throw CancellationError() }
        let names = recipe.packages.keys.sorted() + (recipe.hasApplets ? ["busybox"] : [])
        let packages = "of Debian's \(names.joined(separator: ", "))\(source.isFetched ? ", fetched with apt" : " on this machine")"
        let origin = "minik: \(names.isEmpty ? "of its own programs" : packages)"
        let layout = try AssembledLayout(recipe: recipe, origin: origin, folder: folder, program: program).make(of: trees)
        let mark = ImageRecord.LookAlike(title: recipe.title, stamp: stamp(recipe, isFetched: source.isFetched))
        guard let record = try store.load(LayoutDirectory(layout), lookAlike: mark).first else {
            throw ImageError("the look-alike of \(recipe.title) was not kept", hint: "try again")
        }
        return record
    }

    /// What an image is made of: this machine's packages where all are installed, so that no network is needed; else fetched ones.
    private func source(_ recipe: ImageRecipe, in folder: String, _ program: QuietProgram, _ tell: (String) -> Void) throws
        -> (packages: PackageTree, busybox: String, isFetched: Bool)
    {
        let hasBusybox = Files.exists(Busybox.program)
        if machine.has(recipe), hasBusybox || !recipe.hasApplets { return (machine, Busybox.program, false) }
        var wanted = recipe.packages.keys.sorted()
        if recipe.hasApplets, !hasBusybox { wanted.append("busybox-static") }
        tell("Fetching Debian's packages for minik's look-alike of \(recipe.title): \(wanted.joined(separator: " "))")
        do {
            try Files.makeDirectory("\(folder)/packages")
            let packages = try PackageDownload(packages: wanted, folder: "\(folder)/packages", program: program).run()
            return (packages, hasBusybox ? Busybox.program : "\(packages.root)/usr/bin/busybox", true)
        } catch let error as QuietProgram.Failure {
            let missing = wanted.filter { !machine.hasInstalled($0) }
            throw ImageError(
                "minik's look-alike of \(recipe.title) is made of Debian's packages, which could not be fetched: \(error)",
                hint: "install them (apt-get install \(missing.joined(separator: " "))), or load or pull the real image")
        }
    }
}
