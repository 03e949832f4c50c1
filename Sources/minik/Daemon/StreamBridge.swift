import API
import Model
import Runtime

/// Joins the API's streams to the nodes' containers.
struct StreamBridge: PodStreams {
    let paths: ClusterPaths
    /// The node from which the API reaches pods and Services.
    let controlPlane: String

    func logs(_ pod: Pod, container: String, _ options: LogOptions) async throws -> ByteSource {
        try ContainerLogs(pod, container: container, paths: paths).source(options)
    }

    func connect(_ pod: Pod, _ request: StreamRequest, input: StreamInputs, output: @escaping StreamOutputs) async throws {
        do { try await ProcessStream.run(pod: pod, request, paths: paths, input: input, output: output) } catch let error as FileError {
            try await output(.failure("\(error)"))
        }
    }
}

extension StreamBridge {
    func dial(_ pod: Pod, port: Int) async throws -> Int32 {
        guard let node = pod.nodeName else { throw StatusError.badRequest("pod \(pod.name) does not have a host assigned") }
        let namespace = pod.isHostNetwork ? paths.nodeNetns(node) : paths.podNetns(pod.key)
        return try await SmallProgram.blocking {
            try NodeSocket.connected(to: IPAddress(ipv4: 0x7F00_0001), port: port, namespace: namespace)
        }
    }

    func dial(_ address: IPAddress, port: Int) async throws -> Int32 {
        let namespace = paths.nodeNetns(controlPlane)
        return try await SmallProgram.blocking { try NodeSocket.connected(to: address, port: port, namespace: namespace) }
    }
}
