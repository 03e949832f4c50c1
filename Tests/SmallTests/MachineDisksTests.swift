import Runtime
import ShimProtocol
import Testing

@Suite("a node sees the machine's disks where they are mounted")
struct MachineDisksTests {
    private static let table = #"""
        22 27 0:21 / /proc rw,relatime - proc proc rw
        27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
        28 27 254:1 / /var rw,relatime shared:2 master:3 - xfs /dev/vdb rw
        29 28 254:2 / /var/lib/minik rw - ext4 /dev/vdc rw
        30 27 254:3 / /home rw,nosuid - btrfs /dev/vdd rw,subvol=/@home
        31 27 254:3 /music /srv/my\040music rw - btrfs /dev/vdd rw
        32 28 254:1 / /var/lib/docker/volumes rw - xfs /dev/vdb rw
        33 27 0:31 / /run rw - tmpfs tmpfs rw
        34 27 0:32 / /mnt/share rw - nfs4 server:/x rw
        35 30 254:4 / /home rw - ext4 /dev/vde rw
        36 27 7:1 / /snap/core/1 ro - squashfs /dev/loop1 ro
        37 27 0:33 / /varlog rw - zfs pool/log rw
        """#

    @Test("those below the root, outer ones first, each place once; not what is the node's own, made up, somebody's container or far away")
    func paths() {
        #expect(MachineDisks.paths(mountinfo: Self.table) == ["/home", "/srv/my music", "/var", "/varlog"])
    }

    @Test(
        "a directory's other names are found: bound elsewhere, whole, in part or with what is around it, and where its disk is mounted again",
        arguments: [
            ("", []), ("40 27 254:0 /var/lib/minik /srv/alias rw - ext4 /dev/vda rw", ["/srv/alias"]),
            ("40 27 254:0 / /srv/all rw - ext4 /dev/vda rw", ["/srv/all/var/lib/minik"]),
            ("40 27 254:0 /var/lib /srv/lib rw - ext4 /dev/vda rw", ["/srv/lib/minik"]),
            ("40 27 254:0 /var/lib/minik/clusters/lab /srv/lab rw - ext4 /dev/vda rw", ["/srv/lab"]),
            ("40 27 254:0 /var/lib/minik-2 /srv/other rw - ext4 /dev/vda rw", []),
            ("40 27 254:1 /var/lib/minik /srv/other rw - ext4 /dev/vdb rw", []),
            ("40 27 254:2 / /var/lib/minik rw - ext4 /dev/vdc rw\n41 27 254:2 / /srv/disk rw - ext4 /dev/vdc rw", ["/srv/disk"]),
            ("40 27 254:0 /data /var/lib/minik rw - ext4 /dev/vda rw", ["/data"]),
        ])
    func aliases(_ more: String, _ names: [String]) {
        let table = "27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\(more)\n"
        #expect(MachineDisks.aliases(of: "/var/lib/minik", mountinfo: table) == names)
    }

    @Test("a line that is none is passed over")
    func broken() {
        #expect(MachineDisks.paths(mountinfo: "\n27 1\n1 2 3 4 5 6 7 - \n27 1 254:0 / /a rw - ext4\nx\n") == ["/a"])
    }

    @Test("a mount arrives at the shim as it was sent")
    func words() {
        let mounts: [NodeMount] = [
            .disk(path: "/srv/my \"music\"", upper: "/u", work: "/w"), .folder(source: "/a:b,c", target: "/t", readOnly: true),
        ]
        #expect(mounts.map { NodeMount($0.word) } == mounts.map(Optional.some))
        #expect(NodeMount("{}") == nil && NodeMount("") == nil && NodeMount("{\"folder\":\"/a\",\"target\":\"/b\"}") == nil)
    }
}
