import ArgumentParser

struct FaultCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fault", abstract: "Give a node a fault that people really meet, and free it again.",
        discussion: """
            minik fault inject tunnel-port --node k8s-node2
            minik fault clear tunnel-port

            While a node has a fault, minik mends nothing of the cluster's network by itself.
            """,
        subcommands: [FaultList.self, FaultShow.self, FaultInject.self, FaultClear.self])
}
