import ArgumentParser
import Lab
import Model

struct SnapshotCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot", abstract: "Keep a cluster's objects and its document, and go back to them.",
        discussion: "minik snapshot save before; then try something; minik snapshot restore before. Snapshots go with their cluster.",
        subcommands: [SnapshotSave.self, SnapshotList.self, SnapshotRestore.self, SnapshotRm.self])
}

/// What a command about one snapshot is told.
struct SnapshotOptions: ParsableArguments {
    @Argument(help: "The snapshot's name.") var name: String
    @OptionGroup var chosen: ClusterOptions

    func snapshots() throws -> Snapshots { Snapshots(try chosen.paths()) }
}
