import ArgumentParser
import Lab

struct LabReset: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset", abstract: "Begin the lab anew: its cluster goes, and comes as it was at the start.")
    @OptionGroup var options: LabOptions

    func run() async throws {
        let session = try await options.session(), language = try options.speech.chosen()
        try await LabBegin.stop(session)
        try LabWords.begin(try await LabBegin.start(try LabFile(session.file.path), after: session), language)
    }
}
