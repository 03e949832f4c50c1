import ArgumentParser
import Lab

struct SnapshotSave: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "save", abstract: "Keep what the cluster's objects and document are now.")
    @OptionGroup var options: SnapshotOptions
    @OptionGroup var format: OutputOptions

    func run() async throws {
        let snapshot = try options.snapshots().save(options.name)
        if format.isJSON { return print(snapshot.json.text(indented: true)) }
        print("snapshot \"\(snapshot.name)\" saved: \(snapshot.objects) objects at revision \(snapshot.revision)")
    }
}
