import Glibc
import Host
import Model
import Runtime

/// The snapshots of a cluster. They lie with it, and go with it.
package struct Snapshots {
    private let paths: ClusterPaths
    private var directory: String { "\(paths.state)/snapshots" }

    package init(_ paths: ClusterPaths) { self.paths = paths }

    private func place(_ name: String) throws -> String {
        guard Cluster.isName(name) else { throw UserError("the snapshot's name \"\(name)\" \(Cluster.nameRule)") }
        return "\(directory)/\(name)"
    }

    /// Keeps the cluster as it is now. It is there whole or not at all.
    package func save(_ name: String, now: Timestamp = .now()) throws -> Snapshot {
        let place = try place(name)
        return try ClusterLock.with(paths) { try save(name, at: place, now) }
    }

    private func save(_ name: String, at place: String, _ now: Timestamp) throws -> Snapshot {
        // The objects' times stand where the clocks stopped.
        let cluster = try standing(), now = ClusterPause(paths).since ?? now
        guard !Files.exists(place) else {
            throw UserError(
                "there is a snapshot \"\(name)\" of cluster \"\(cluster.name)\" already",
                hint: "choose another name, or remove it: minik snapshot rm \(name)")
        }
        // No snapshot has a dot in its name.
        let new = "\(directory)/.new"
        Files.removeTree(new)
        try Files.makeDirectory(directory, mode: 0o700)
        try Files.makeDirectory(new, mode: 0o700)
        do {
            let snapshot = try Snapshot.make(name, of: cluster, paths, in: new, now: now)
            guard rename(new, place) == 0 else { throw FileError("rename to", place, errno: errno) }
            return try Snapshot(snapshot.name, in: place)
        } catch {
            Files.removeTree(new)
            rmdir(directory)  // unless others are in it
            throw error
        }
    }

    /// All there are, the oldest first, and in words those that are damaged.
    package func all() -> (snapshots: [Snapshot], damaged: [(name: String, reason: String)]) {
        var snapshots: [Snapshot] = [], damaged: [(name: String, reason: String)] = []
        for name in Files.list(directory) where Cluster.isName(name) {
            do {
                let snapshot = try Snapshot(name, in: "\(directory)/\(name)")
                try snapshot.verify(paths)
                snapshots.append(snapshot)
            } catch { damaged.append((name, "\(error)")) }
        }
        return (snapshots.sorted { ($0.created, $0.name) < ($1.created, $1.name) }, damaged)
    }

    package func remove(_ name: String) throws {
        let place = try found(name)
        try ClusterLock.with(paths) { Files.removeTree(place) }
        guard !Files.exists(place) else { throw UserError("\(place) cannot be removed") }
        rmdir(directory)
    }

    /// Where the snapshot of this name lies.
    private func found(_ name: String) throws -> String {
        let place = try place(name)
        guard Files.exists(place) else {
            let names = Files.list(directory).filter(Cluster.isName)
            throw UserError(
                "cluster \"\(paths.cluster)\" has no snapshot \"\(name)\"",
                hint: names.isEmpty ? "make one: minik snapshot save NAME" : "there are: \(names.joined(separator: ", "))")
        }
        return place
    }

    private func standing() throws -> Cluster {
        guard let cluster = try paths.storedCluster() else { throw UserError("there is no cluster \"\(paths.cluster)\"") }
        return cluster
    }

    /// What a restoration came to.
    package struct Restored: Sendable {
        package let snapshot: Snapshot
        /// How many pods begin anew.
        package let pods: Int
        /// The claims whose data has gone since: it is no snapshot's.
        package let lost: [ObjectKey]

        package var json: JSON {
            var json = snapshot.json
            json["lostClaims"] = .array(lost.map { .string($0.description) })
            return json
        }
    }

    /// Makes the cluster what it was. Pods begin anew; what else ran goes.
    package func restore(_ name: String, now: Timestamp = .now()) async throws -> Restored {
        let place = try found(name)
        return try await ClusterLock.with(paths) {
            try ClusterPause(paths).requireNone()
            let standing = try standing()
            do {
                let snapshot = try Snapshot(name, in: place)
                try snapshot.check(standing, paths)
                return try await put(snapshot, in: standing, now)
            } catch let error as Snapshot.Damaged {
                throw UserError(
                    "snapshot \"\(name)\" is damaged, and nothing was changed: \(error.reason)",
                    hint: "remove it: minik snapshot rm \(name)")
            }
        }
    }

    private func put(_ snapshot: Snapshot, in standing: Cluster, _ now: Timestamp) async throws -> Restored {
        let daemon = DaemonLauncher(paths: paths), copy = snapshot.copy(of: paths), objects = try copy.contents()
        let renewal = PodRenewal(objects.filter { $0.0 == .pods }.map { Pod($0.1) }, now: now),
            time = StandingTime(from: snapshot.created, to: now)
        try daemon.stop()
        do {
            try snapshot.restoreCluster(paths)
            try NodeLinks(paths).apply(snapshot.cluster, standing)
            try ClusterStore(paths: paths).install(copy) { resource, object in
                renewal.renewed(resource, time.moved(resource, object))
            }
        } catch {
            // What was there stands, and its daemon comes back.
            try NodeLinks(paths).apply(standing, snapshot.cluster)
            try await daemon.start()
            throw error
        }
        // The daemon ends what runs of pods that are not its own, before it gives an address to those that are.
        try await daemon.start()
        let volumes = objects.filter { $0.0 == .persistentVolumes }.map { PersistentVolume($0.1) }
        return Restored(snapshot: snapshot, pods: renewal.count, lost: NodeVolumes.lost(volumes, nodes: snapshot.cluster.nodes, paths))
    }
}
