import ArgumentParser
import Lab
import Model

struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Let a paused cluster go on.")
    @OptionGroup var chosen: ClusterArgument

    func run() async throws {
        let paths = try chosen.options().paths()
        let seconds = try await ClusterPause(paths).end()
        print("cluster \"\(paths.cluster)\" goes on; it stood for \(humanDuration(seconds: seconds))")
    }
}
