import ArgumentParser
import Lab

struct SnapshotRestore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Make the cluster's objects and document what they were.",
        discussion: "What is there now goes; save it first. Pods begin anew: what they held, in files or in memory, no snapshot has.")
    @OptionGroup var options: SnapshotOptions
    @OptionGroup var format: OutputOptions

    func run() async throws {
        let restored = try await options.snapshots().restore(options.name)
        if format.isJSON { return print(restored.json.text(indented: true)) }
        let (snapshot, pods) = (restored.snapshot, restored.pods)
        print("snapshot \"\(snapshot.name)\" restored: \(snapshot.objects) objects; \(pods) pod\(pods == 1 ? " begins" : "s begin") anew")
        for claim in restored.lost {
            print("  the data of claim \(claim) has been deleted since: pods that have it wait (FailedMount) until the claim is made anew")
        }
    }
}
