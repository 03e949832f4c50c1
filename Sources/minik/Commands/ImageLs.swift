import ArgumentParser
import Images
import Lab
import Model
import Runtime

struct ImageLs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List the images of this machine.",
        discussion: "SOURCE says which are minik's own look-alikes of public ones; what was loaded under the same name comes first.")
    @OptionGroup var format: OutputOptions

    func run() async throws {
        try requireRoot()
        let images = try ImageStore().summaries { printError("minik: warning: \($0)") }
        let recipes = try LookAlikes(store: ImageStore()).recipes
        let missing = recipes.filter { recipe in !images.contains { $0.record.lookAlike?.title == recipe.title } }
        if format.isJSON {
            let builtIn = missing.map { ["names": [.string($0.title)], "source": "built-in"] as JSON }
            return print(JSON.array(images.map(\.listed) + builtIn).text(indented: true))
        }
        var rows = images.flatMap { Self.rows($0) }.sorted { ($0[0], $0[1]) < ($1[0], $1[1]) }
        rows += missing.map { [$0.title, "<any>", "", "", "", "built-in, not assembled yet"] }
        TextTable(header: ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "SOURCE"], rows: rows).print()
    }

    private static func rows(_ image: ImageSummary) -> [[String]] {
        let now = Timestamp.now().seconds
        let rest = [
            image.record.id.short, image.description.created.map { "\(humanDuration(seconds: now - $0.seconds)) ago" } ?? "",
            ImageSummary.human(image.size),
        ]
        var rows = image.record.names.compactMap(ImageReference.init).map {
            ["\($0.registry)/\($0.repository)", $0.tag ?? ""] + rest + [image.source]
        }
        if let own = image.record.lookAlike { rows.append([own.title, "<any>"] + rest + ["built-in"]) }
        return rows.isEmpty ? [["<none>", "<none>"] + rest + [image.source]] : rows
    }
}
