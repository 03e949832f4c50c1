import Model

/// Who a container's processes are: the pod's words, completed by the image's own /etc/passwd and /etc/group as containerd and runc do.
package struct ContainerUser: Sendable, Hashable {
    package let uid: Int
    package let gid: Int
    /// Supplementary groups; the primary one is always the first of them.
    package let groups: [Int]
    /// HOME where neither image nor pod sets it.
    package let home: String
    /// Why there is no such user: a name that the image has and its files do not know, a number that is none of a user's.
    package let problem: String?

    /// What the kernel's 32 bits, in which the last one stands for nobody, and all programs take alike. (moby/sys/user)
    private static let ids = 0...Int(Int32.max)

    /// `passwd` and `group` are the image's files, `image` is whom it says its processes are: USER[:GROUP], each a name or a number.
    /// (passwd(5), group(5), opencontainers/image-spec config.md)
    package init(pod: Pod, container: Container, passwd: String, group: String, image: String = "") {
        let own = container.json["securityContext"], shared = pod.spec["securityContext"]
        func setting(_ name: String) -> Int? { own[name].int ?? shared[name].int }
        let users = Self.rows(passwd).filter { $0.count >= 6 }
        // Of the image's USER[:GROUP] a kubelet hears the user alone, so a group there, even one that does not exist, changes nothing.
        // (seen with containerd 1.7.27, containerd issue 11607)
        let says = setting("runAsUser") == nil ? image.split(separator: ":", omittingEmptySubsequences: false).first.map(String.init) : nil
        let name = says ?? ""
        let named = users.first { $0[0] == name } ?? users.first { $0[2] == name }
        let user = setting("runAsUser") ?? named.flatMap { Int($0[2]) } ?? Int(name) ?? 0
        let entry = named ?? users.first { Int($0[2]) == user }
        let primary = setting("runAsGroup") ?? entry.flatMap { Int($0[3]) } ?? 0
        problem =
            !name.isEmpty && named == nil && Int(name) == nil
            ? "unable to find user \(name): no matching entries in passwd file"
            : [user, primary].allSatisfy(Self.ids.contains)
                ? nil : "uids and gids must be in range \(Self.ids.lowerBound)-\(Self.ids.upperBound)"
        var groups = [primary] + [shared["fsGroup"].int].compactMap { $0 } + shared["supplementalGroups"].items.compactMap(\.int)
        if let name = entry?[0], shared["supplementalGroupsPolicy"].string != "Strict" {
            groups += Self.rows(group).filter { $0.count >= 4 && $0[3].split(separator: ",").contains { $0 == name } }.compactMap {
                Int($0[2])
            }.filter(Self.ids.contains)
        }
        var seen: Set<Int> = []
        uid = user
        gid = primary
        self.groups = groups.filter { seen.insert($0).inserted }
        home = entry?[5] ?? "/"
    }

    init(pod: Pod, container: Container, image: Image) {
        let accounts = image.accounts ?? Image.Accounts(of: image)
        self.init(
            pod: pod, container: container, passwd: accounts.passwd, group: accounts.group, image: image.configuration.user)
    }

    private static func rows(_ text: String) -> [[String]] {
        text.split(separator: "\n").map { $0.split(separator: ":", omittingEmptySubsequences: false).map(String.init) }
    }

    /// As a container's status tells it. (core/v1 ContainerUser)
    package var status: JSON {
        ["linux": ["uid": .int(uid), "gid": .int(gid), "supplementalGroups": .array(groups.map(JSON.int))]]
    }
}
