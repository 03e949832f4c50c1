import ArgumentParser
import Lab

struct LabStop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "End the lab: its cluster goes, and all that was done in it.")
    @OptionGroup var options: LabOptions

    func run() async throws {
        let session = try await options.session()
        try await LabBegin.stop(session)
        print("lab \"\(session.lab.name)\" is over")
    }
}
