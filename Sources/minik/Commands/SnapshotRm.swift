import ArgumentParser
import Lab

struct SnapshotRm: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "rm", abstract: "Remove a snapshot.")
    @OptionGroup var options: SnapshotOptions

    func run() async throws {
        try options.snapshots().remove(options.name)
        print("snapshot \"\(options.name)\" removed")
    }
}
