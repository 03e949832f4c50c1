import ArgumentParser
import Host
import Images
import Runtime

struct ImagePrune: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune", abstract: "Remove images that have no name and that no pod has.")
    @Flag(name: .shortAndLong, help: "All that no pod has, whether they have a name or not.") var all = false

    @OptionGroup var format: OutputOptions

    func run() async throws {
        try requireRoot()
        let all = all
        let removal = try await SmallProgram.blocking { try ImageStore().prune(all: all) }
        if format.isJSON { return print(removal.json.text(indented: true)) }
        for name in removal.names { print("Untagged: \(name)") }
        for image in removal.images { print("Deleted: \(image.id)") }
        print("Total reclaimed space: \(ImageSummary.human(removal.bytes))")
    }
}
