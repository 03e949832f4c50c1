import Model

/// Who a container's processes are: the pod's words, completed by the image's own /etc/passwd and /etc/group as containerd and runc do.
package struct ContainerUser: Sendable, Hashable {
    package let uid: Int
    package let gid: Int
    /// Supplementary groups; the primary one is always the first of them.
    package let groups: [Int]
    /// HOME where neither image nor pod sets it.
    package let home: String

    /// `passwd` and `group` are the image's files. (passwd(5), group(5))
    package init(pod: Pod, container: Container, passwd: String, group: String) {
        let own = container.json["securityContext"], shared = pod.spec["securityContext"]
        func setting(_ name: String) -> Int? { own[name].int ?? shared[name].int }
        let user = setting("runAsUser") ?? 0
        let entry = Self.rows(passwd).first { $0.count >= 6 && Int($0[2]) == user }
        let primary = setting("runAsGroup") ?? entry.flatMap { Int($0[3]) } ?? 0
        var groups = [primary] + [shared["fsGroup"].int].compactMap { $0 } + shared["supplementalGroups"].items.compactMap(\.int)
        if let name = entry?[0], shared["supplementalGroupsPolicy"].string != "Strict" {
            groups += Self.rows(group).filter { $0.count >= 4 && $0[3].split(separator: ",").contains { $0 == name } }.compactMap {
                Int($0[2])
            }
        }
        var seen: Set<Int> = []
        uid = user
        gid = primary
        self.groups = groups.filter { seen.insert($0).inserted }
        home = entry?[5] ?? "/"
    }

    init(pod: Pod, container: Container, image: Image) {
        self.init(
            pod: pod, container: container, passwd: image.text("etc/passwd") ?? "", group: image.text("etc/group") ?? "")
    }

    private static func rows(_ text: String) -> [[String]] {
        text.split(separator: "\n").map { $0.split(separator: ":", omittingEmptySubsequences: false).map(String.init) }
    }

    /// As a container's status tells it. (core/v1 ContainerUser)
    package var status: JSON {
        ["linux": ["uid": .int(uid), "gid": .int(gid), "supplementalGroups": .array(groups.map(JSON.int))]]
    }
}
