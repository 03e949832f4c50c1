import ArgumentParser
import Images
import Lab
import Model

struct SnapshotList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List a cluster's snapshots.", aliases: ["ls"])
    @OptionGroup var chosen: ClusterOptions
    @OptionGroup var format: OutputOptions

    func run() async throws {
        let (snapshots, damaged) = Snapshots(try chosen.paths()).all()
        for one in damaged { printError(one.reason) }
        if format.isJSON { return print(JSON.array(snapshots.map(\.json)).text(indented: true)) }
        guard !snapshots.isEmpty else {
            if damaged.isEmpty { print("no snapshots") }
            return
        }
        let now = Timestamp.now().seconds
        let rows = snapshots.map { snapshot in
            [
                snapshot.name, "\(humanDuration(seconds: now - snapshot.created.seconds)) ago", "\(snapshot.objects)",
                "\(snapshot.revision)", ImageSummary.human(snapshot.size),
            ]
        }
        TextTable(header: ["NAME", "SAVED", "OBJECTS", "REVISION", "SIZE"], rows: rows).print()
    }
}
