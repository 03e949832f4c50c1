import ArgumentParser
import Lab

struct Pause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stop a whole cluster and its clocks.",
        discussion: "Its processes stand still and its API answers nobody, until `minik resume`: then it goes on as if no time had passed.")
    @OptionGroup var chosen: ClusterArgument

    func run() async throws {
        let paths = try chosen.options().paths()
        try await ClusterPause(paths).begin()
        print("cluster \"\(paths.cluster)\" is paused; let it go on: minik resume \(paths.cluster)")
    }
}
