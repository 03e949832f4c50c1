import Model
import Runtime

/// What one of minik's look-alikes of a public image is made of: a file of `Recipes`, decoded.
///
///     name: web                          library/web, in whatever registry
///     answers: [registry.example/web]    and these repositories
///     packages: {nginx: [/usr/sbin/nginx]}   of Debian's packages these files and directories, with the libraries that programs need
///     applets: true                      busybox, and a link for each of its applets
///     programs: {/flanneld: minik}       one of minik's own programs under another name, by which it knows what it is to be
///     directories, links, files, joined, users
///     config: {Cmd: [...]}               as image-spec's config.md has it
package struct ImageRecipe: Sendable, Hashable {
    package struct Directory: Sendable, Hashable {
        package let path: String
        package let mode: UInt32
        package let user: UInt32
        package let group: UInt32
    }

    package struct File: Sendable, Hashable {
        package let path: String
        package let text: String
        package let mode: UInt32
    }

    /// A user, and the group of the same name.
    package struct User: Sendable, Hashable {
        package let name: String
        package let id: UInt32
        package let group: UInt32
        package let home: String
    }

    /// Of every image that is made of a recipe: the recipe's name.
    package static let label = "dev.minik.look-alike"

    package let name: String
    /// Registry and repository, without a tag.
    package let answers: [String]
    package let packages: [String: [String]]
    package let hasApplets: Bool
    /// Path -> which of the programs that come with `minik` is there.
    package let programs: [String: String]
    package let directories: [Directory]
    /// Path -> what the link says.
    package let links: [String: String]
    package let files: [File]
    /// Path -> a directory, whose files make it, one after the other.
    package let joined: [String: String]
    package let users: [User]
    package let config: JSON
    /// Of the recipe's text: another recipe has another.
    package let digest: ContentDigest

    package init(_ json: JSON, digest: ContentDigest) throws(ImageError) {
        let read = Reader(json, title: json["name"].string ?? "")
        try read.know(
            [
                "name", "answers", "packages", "applets", "programs", "directories", "links", "files", "joined", "users", "config",
            ], in: json)
        name = try read.text(json["name"], "name")
        answers = try read.texts(json["answers"], "answers")
        var packages: [String: [String]] = [:]
        for (package, paths) in json["packages"].object ?? JSONObject() {
            packages[package] = try read.paths(paths, "packages.\(package)")
        }
        self.packages = packages
        hasApplets = json["applets"].bool ?? false
        programs = try read.map("programs")
        for (path, program) in programs where !program.hasPrefix("minik") || program.contains("/") {
            throw read.fail("programs: \(path): \"\(program)\" is no program of minik's")
        }
        directories = try read.each("directories", ["path", "mode", "owner"]) { (item) throws(ImageError) in
            let owner = item["owner"].string?.split(separator: ":").compactMap { UInt32($0) } ?? [0, 0]
            guard owner.count == 2 else { throw read.fail("directories: an owner is two numbers, USER:GROUP") }
            return Directory(
                path: try read.path(item["path"], "directories"), mode: try read.mode(item["mode"], 0o755), user: owner[0], group: owner[1])
        }
        links = try read.map("links")
        joined = try read.map("joined")
        files = try read.each("files", ["path", "text", "mode"]) { (item) throws(ImageError) in
            File(
                path: try read.path(item["path"], "files"), text: try read.text(item["text"], "files.text"),
                mode: try read.mode(item["mode"], 0o644))
        }
        users = try read.each("users", ["name", "id", "group", "home"]) { (item) throws(ImageError) in
            guard let id = item["id"].int.flatMap(UInt32.init(exactly:)) else { throw read.fail("users: an id is a number") }
            return User(
                name: try read.text(item["name"], "users"), id: id, group: item["group"].int.flatMap(UInt32.init(exactly:)) ?? id,
                home: item["home"].string ?? "/nonexistent")
        }
        config = json["config"].isNull ? .emptyObject : json["config"]
        self.digest = digest
    }

    /// Whether a pod that asks for this may have the look-alike. `library/NAME` is what Docker Hub's own images are called, there and in
    /// its mirrors; `registry.example/NAME` or `someone/NAME` is somebody's own, and not to be mistaken for it.
    package func answers(_ reference: ImageReference) -> Bool {
        guard reference.digest == nil else { return false }
        return ["library/\(name)", "docker/library/\(name)"].contains(reference.repository)
            || answers.contains("\(reference.registry)/\(reference.repository)")
    }

    /// What people call it.
    package var title: String { "docker.io/\(answers.first.flatMap(Self.hubRepository) ?? "library/\(name)")" }

    private static func hubRepository(_ answer: String) -> String? {
        answer.hasPrefix("docker.io/") ? String(answer.dropFirst("docker.io/".count)) : nil
    }
}
