import API
import ArgumentParser
import Glibc
import Host
import Model
import Runtime
import Store

/// For the benchmark: how many objects a second the API server stores, decoded, validated and in the journal.
struct MeasureStore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "measure-store", abstract: "Print how many objects a second can be created.", shouldDisplay: false)

    @Option(help: "How many objects to create.") var objects = 10_000

    func run() async throws {
        let directory = "\(ClusterPaths.stateRoot)/measure-\(getpid())"
        try Files.makeDirectory(directory, mode: 0o700)
        defer { Files.removeTree(directory) }
        let path = "\(directory)/store.db"
        try SQLiteJournal.create(path: path)
        let api = APIServer(store: try ObjectStore(journal: SQLiteJournal(path: path)), cluster: Cluster())
        _ = try await api.create(.namespaces, ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "default"]])
        let time = try await ContinuousClock().measure {
            for number in 0..<objects {
                _ = try await api.create(
                    .configMaps,
                    ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "c\(number)"], "data": ["number": .string("\(number)")]])
            }
        }
        let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
        print((["objects": .int(objects), "seconds": .double(seconds), "perSecond": .int(Int(Double(objects) / seconds))] as JSON).text())
    }
}
