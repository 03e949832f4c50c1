import API
import Glibc
import Host
import Lab
import Model
import Runtime
import Store
import TLS

extension Daemon {
    /// The API on its three ways in: the daemon's own socket, this machine's loopback, and the control plane's node.
    func serve(
        _ api: APIServer, _ store: ObjectStore, _ pki: ClusterPKI, _ nodes: [StartedNode], _ parts: Countdown,
        _ report: @escaping @Sendable (String) -> Void,
        _ group: inout ThrowingTaskGroup<Void, any Error>
    ) throws {
        let home = cluster.controlPlane
        let machines = nodes.map(\.machine)
        let directory = LocalNodes(cluster: cluster, paths: paths, client: api) { [uplinks] in await uplinks.reachesHome($0) }
        let map = mapDoor(api, store, report, &group)
        let router = Router(
            api: api, nodes: directory,
            parts: [
                RepairAPI { await Self.repair(machines.map(\.keeper)) }, NodePowerAPI { try await machines.perform($1, on: $0) },
                MapAPI(map),
            ])
        let server = HTTPServer(router)
        let count: @Sendable () -> Void = { Task { await parts.count() } }
        group.addTask { [paths] in
            try await server.run(on: .unix(paths.apiSocket)) { _ in
                chmod(paths.apiSocket, 0o600)
                count()
            }
        }
        let tls = try pki.serverContext()
        group.addTask { try await serveMachine(server, tls, report, ready: count) }
        if let ground = nodes.first(where: { $0.spec == home })?.machine.ground {
            group.addTask { try await serve(server, inside: ground, tls, ready: count) }
        }
        group.addTask {
            // Watchers that hear of no change hear how far the store has come.
            while true {
                try await Task.sleep(for: .seconds(60))
                await store.markRevision()
            }
        }
        group.addTask {
            // What the daemon needed for a while goes back to the machine.
            while true {
                try await Task.sleep(for: .seconds(20))
                await store.forgetHistory()
                router.forgetLines()
                OwnProcess.trimMemory()
            }
        }
    }

    /// The map's page, which is there once somebody asks for it, and looks at nothing until somebody looks at it.
    private func mapDoor(
        _ api: APIServer, _ store: ObjectStore, _ report: @escaping @Sendable (String) -> Void,
        _ group: inout ThrowingTaskGroup<Void, any Error>
    ) -> MapDoor {
        let threads = RequestThreads(count: 1)
        let feed = MapFeed(
            cluster: cluster, client: api, threads: threads,
            past: { [cluster] in try await MapPast(store: store, cluster: cluster).moments() },
            eyes: { [cluster, paths] in MapEyes(paths: paths, cluster: cluster) })
        let door = MapDoor(file: paths.mapAddress, feed: feed, threads: threads, report: report)
        group.addTask { try await feed.run(report: report) }
        group.addTask { try await door.run() }
        return door
    }

    /// The API on the control plane's node, again whenever that has got another network namespace.
    private func serve(_ server: HTTPServer, inside ground: NodeGround, _ tls: TLSContext, ready: @escaping @Sendable () -> Void)
        async throws
    {
        let home = cluster.controlPlane, namespace = paths.nodeNetns(home.name)
        let (moves, moved) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        await ground.whenMoved { moved.yield() }
        var next = moves.makeAsyncIterator()
        repeat {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for address in home.addresses {
                    let socket = try NodeSocket.listening(on: address, port: Cluster.apiPort, namespace: namespace).release()
                    group.addTask { try await server.run(on: .socket(socket, tls)) { _ in if address == home.address { ready() } } }
                }
                await next.next(isolation: nil)
                group.cancelAll()
            }
        } while !Task.isCancelled
    }
}
