import API
import Model
import Runtime

/// Joins the API's streams to the nodes' containers.
struct StreamBridge: PodStreams {
    let paths: ClusterPaths
    /// The node from which the API reaches pods and Services.
    let controlPlane: String

    func logs(_ pod: Pod, container: String, _ options: LogOptions) async throws -> ByteSource {
        let statuses = pod.status["containerStatuses"].items + pod.status["initContainerStatuses"].items
        let status = statuses.first { $0["name"].string == container } ?? .null
        let restarts = status["restartCount"].int ?? 0
        guard let node = pod.nodeName else { throw StatusError.badRequest("pod \(pod.name) does not have a host assigned") }
        func log(_ attempt: Int) -> ContainerLog {
            ContainerLog(pod: pod, node: node, container: container, attempt: attempt, paths: paths)
        }
        var attempt = restarts
        if options.previous {
            guard restarts > 0 else {
                throw StatusError.badRequest("previous terminated container \"\(container)\" in pod \"\(pod.name)\" not found")
            }
            attempt -= 1
        } else if !log(attempt).exists {
            // Waiting for its next life, a container shows its last one.
            attempt -= 1
            guard attempt >= 0, log(attempt).exists else {
                let reason = status["state"]["waiting"]["reason"].string ?? "ContainerCreating"
                throw StatusError.badRequest("container \"\(container)\" in pod \"\(pod.name)\" is waiting to start: \(reason)")
            }
        }
        var wish = options
        wish.follow = options.follow && !options.previous
        let socket = paths.shimSocket(pod.uid), life = attempt
        let next = "\(paths.podLogs(pod, node: node))/\(container)/\(life + 1).log"
        return { [log = log(life), wish] sink in
            // The file is complete once the container's next life has begun or the pod's shim is gone.
            try await log.read(wish, now: .now(), to: sink) { Files.exists(next) || !Files.exists(socket) }
        }
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
        return try await SmallProgram.blocking { try NodeSocket.connected(to: IPv4Address(0x7F00_0001), port: port, namespace: namespace) }
    }

    func dial(_ address: IPv4Address, port: Int) async throws -> Int32 {
        let namespace = paths.nodeNetns(controlPlane)
        return try await SmallProgram.blocking { try NodeSocket.connected(to: address, port: port, namespace: namespace) }
    }
}
