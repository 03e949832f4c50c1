import ArgumentParser
import Images
import Lab
import Model
import Runtime

struct ImageLs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List the images of this machine.",
        discussion: "SOURCE says which are minik's own look-alikes of public ones; what was loaded under the same name comes first.")
    @OptionGroup var format: ImageOutput

    func run() async throws {
        try requireRoot()
        let images = try ImageStore().summaries { printError("minik: warning: \($0)") }, own = BuiltInImages().names
        if format.isJSON {
            let builtIn = own.map { name -> JSON in ["names": [.string("docker.io/library/\(name)")], "source": "built-in"] }
            return print(JSON.array(images.map(\.listed) + builtIn).text(indented: true))
        }
        let now = Timestamp.now().seconds
        var rows = images.flatMap { image -> [[String]] in
            let rest = [
                image.record.id.short, image.description.created.map { "\(humanDuration(seconds: now - $0.seconds)) ago" } ?? "",
                ImageSummary.human(image.size), image.source,
            ]
            if image.record.names.isEmpty { return [["<none>", "<none>"] + rest] }
            return image.record.names.compactMap(ImageReference.init).map { ["\($0.registry)/\($0.repository)", $0.tag ?? ""] + rest }
        }.sorted { ($0[0], $0[1]) < ($1[0], $1[1]) }
        rows += own.map { ["docker.io/library/\($0)", "<any>", "", "", "", "built-in"] }
        TextTable(header: ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "SOURCE"], rows: rows).print()
    }
}
