import ArgumentParser
import Images
import Lab
import Model
import Runtime

struct ImageHistory: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Show how an image was built, the last step first.")
    @Argument(help: "NAME[:TAG], a digest, or the beginning of an ID.") var image: String
    @OptionGroup var format: OutputOptions

    func run() async throws {
        try requireRoot()
        let store = ImageStore(), steps = try store.summary(try store.records().find(image)).history
        if format.isJSON {
            let list = steps.map { step, size -> JSON in
                [
                    "created": JSON(step.created?.description), "createdBy": .string(step.command), "comment": .string(step.comment),
                    "size": .int(size),
                ]
            }
            return print(JSON.array(list).text(indented: true))
        }
        let now = Timestamp.now().seconds
        let rows = steps.map { step, size in
            [
                step.created.map { "\(humanDuration(seconds: now - $0.seconds)) ago" } ?? "", ImageSummary.human(size),
                String(step.command.replacing("\t", with: " ").prefix(80)), step.comment,
            ]
        }
        TextTable(header: ["CREATED", "SIZE", "CREATED BY", "COMMENT"], rows: rows).print()
    }
}
