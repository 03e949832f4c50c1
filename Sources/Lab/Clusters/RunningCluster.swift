import Host
import Model
import Runtime

/// A cluster that left its mark on this machine, whether its daemon runs or not.
package struct RunningCluster {
    package let name: String
    package var paths: ClusterPaths { ClusterPaths(cluster: name) }
    package var daemon: ProcessIdentity? { ProcessIdentity(file: paths.daemonPID) }

    package static func all() -> [RunningCluster] { Files.list(ClusterPaths.clusters).filter(Cluster.isName).map(RunningCluster.init) }

    /// The one that is named, or the only one of `running`.
    package static func chosen(_ name: String?, of running: [String]) throws -> String {
        let start = "start one: minik up labs/netpol.yaml", names = running.joined(separator: ", ")
        if let name {
            if running.contains(name) { return name }
            throw UserError("there is no cluster \"\(name)\"", hint: running.isEmpty ? start : "there are: \(names)")
        }
        guard let only = running.first else { throw UserError("no cluster is up", hint: start) }
        guard running.count == 1 else {
            throw UserError("several clusters are up: \(names)", hint: "choose one with --cluster NAME")
        }
        return only
    }
}

extension ClusterPaths {
    /// Throws when nobody answers for the cluster: it is paused, or its daemon has ended.
    package func requireDaemon() throws {
        try ClusterPause(self).requireNone()
        guard ProcessIdentity(file: daemonPID) != nil else {
            throw UserError(
                "the daemon of cluster \"\(cluster)\" does not run; its pods and Services do",
                hint: "bring it back: minik up -c \(cluster)")
        }
    }

    /// The paths of a cluster that a person has named, whether there is one or not.
    package init(named name: String) throws(UserError) {
        guard Cluster.isName(name) else { throw UserError("the cluster's name \"\(name)\" \(Cluster.nameRule)", hint: "see: minik ls") }
        self.init(cluster: name)
    }

    /// The cluster's document, as `minik up` stored it; nil when there is no such cluster.
    package func storedCluster() throws -> Cluster? {
        guard Files.exists(clusterFile) else { return nil }
        do { return try Cluster(stored: JSON(parsing: try Files.read(clusterFile))) } catch {
            throw UserError(
                "\(clusterFile) does not say what the cluster is: \(error)",
                hint: "its pods and Services go on; put the file back, or take the cluster down: minik down \(cluster)")
        }
    }
}
