import ArgumentParser
import Images
import Lab
import Model

struct ImageInspect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Show all that images say of themselves, as JSON in docker's form.")
    @Argument(help: "NAME[:TAG], a digest, or the beginning of an ID.") var images: [String]
    @OptionGroup var format: OutputOptions

    func run() async throws {
        try requireRoot()
        let store = ImageStore(), records = try store.records()
        let found = try images.map { try store.summary(try records.find($0)).inspected }
        print(JSON.array(found).text(indented: true))
    }
}
