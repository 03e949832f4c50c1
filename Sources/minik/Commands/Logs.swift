import API
import ArgumentParser
import Lab
import Model

struct Logs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print the logs of a container in a pod.")
    @OptionGroup var options: ClusterOptions
    @OptionGroup var scope: NamespaceOptions
    @Argument(help: "A pod, or deployment/NAME for one of its pods.") var pod: String
    @Option(name: .long, help: "The container; needed only when there are several.") var container: String?
    @Flag(name: .shortAndLong, help: "Go on as the log grows.") var follow = false
    @Flag(name: .shortAndLong, help: "The log of the container's last life.") var previous = false
    @Flag(help: "Each line with its time.") var timestamps = false
    @Option(help: "Lines from the end; -1 for all.") var tail: Int = -1

    func run() async throws {
        let client = try options.client()
        let key = try await PodName(pod, namespace: scope.namespace, client).resolve()
        var query = ["follow=\(follow)", "previous=\(previous)", "timestamps=\(timestamps)"]
        if let container { query.append("container=\(URL.encode(container))") }
        if tail >= 0 { query.append("tailLines=\(tail)") }
        let path = Resource.pods.path(namespace: key.namespace, name: key.name, subresource: "log")
        for try await piece in try await client.stream("GET", "\(path)?\(query.joined(separator: "&"))") { Output.write(piece) }
    }
}
