import ArgumentParser
import Images

struct ImageTag: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "tag", abstract: "Give an image one more name.")
    @Argument(help: "NAME[:TAG], a digest, or the beginning of an ID.") var image: String
    @Argument(help: "The new name; another image that has it loses it.") var name: String

    func run() async throws {
        try requireRoot()
        try ImageStore().tag(image, try ImageCommand.reference(name))
    }
}
