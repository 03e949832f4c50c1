import CHost
import Glibc
import Host
import Model

/// A pod's group, to which the files of its volumes are to belong. (k8s.io/kubernetes/pkg/volume, SetVolumeOwnership)
struct VolumeGroup: Sendable {
    let id: Int
    /// Only where the volume's own directory is not the group's yet.
    let onlyOnMismatch: Bool

    /// nil: the pod has none.
    init?(of pod: Pod) {
        let context = pod.spec["securityContext"]
        guard let id = context["fsGroup"].int else { return nil }
        self.id = id
        onlyOnMismatch = context["fsGroupChangePolicy"].string == "OnRootMismatch"
    }

    /// Gives it a directory and all below.
    func take(_ path: String, on root: NodeRoot) throws(FileError) {
        let directory = try root.directory(path)
        var info = stat()
        guard fstat(directory.number, &info) == 0 else { throw FileError("look at", path, errno: errno) }
        let wanted = mode_t(HOST_GROUP_DIRECTORY)
        if onlyOnMismatch, Int(info.st_gid) == id, info.st_mode & wanted == wanted { return }
        let result = host_give_group(directory.number, gid_t(id))
        guard result == 0 else { throw FileError("give to group \(id) what is in", path, errno: -result) }
    }
}
