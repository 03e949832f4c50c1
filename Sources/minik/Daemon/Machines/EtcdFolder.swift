import Glibc
import Host
import Lab
import Model
import Runtime
import Store

/// Etcd's data as a node has it: a mark that says which store it is, which lies in the cluster's state. Without its mark a store is
/// nobody's any more, and the next begins empty.
struct EtcdFolder {
    let path: String
    let root: NodeRoot
    let paths: ClusterPaths

    private var mark: String { "\(path)/member/minik-store" }
    private var ownMark: String { "\(paths.state)/store-mark" }

    func open() async throws -> ObjectStore {
        let stores = ClusterStore(paths: paths)
        guard let held = root.text(mark), held == Files.text(ownMark) else {
            try stores.discard()
            try stores.create()
            let name = "\(UID.random())\n"
            try Files.write(name, to: ownMark, mode: 0o600)
            try root.write(name, to: mark)
            return try await stores.open()
        }
        return try await stores.open()
    }
}
