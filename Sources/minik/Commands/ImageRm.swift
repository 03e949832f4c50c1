import ArgumentParser
import Host
import Images
import Runtime

struct ImageRm: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Take names away, and images with their last name.",
        discussion: "An image that a pod has stays: delete the pod first.")
    @Argument(help: "NAME[:TAG], a digest, or the beginning of an ID.") var images: [String]

    @OptionGroup var format: OutputOptions

    func run() async throws {
        try requireRoot()
        let images = images
        let removal = try await SmallProgram.blocking { try ImageStore().remove(images) }
        if format.isJSON { return print(removal.json.text(indented: true)) }
        for name in removal.names { print("Untagged: \(name)") }
        for image in removal.images { print("Deleted: \(image.id)") }
    }
}
