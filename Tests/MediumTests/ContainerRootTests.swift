import CSandbox
import Foundation
import Glibc
import Host
import Model
import Runtime
import ShimProtocol
import Testing

@Suite("a container's root holds, whatever its image and volumes hold")
struct ContainerRootTests {
    /// A volume with one file, and a directory that stands for the machine: nothing of it may change.
    private static func volume(_ container: borrowing TestContainer, _ name: String = "volume") throws -> String {
        let path = "\(container.directory)/\(name)"
        try Files.makeDirectory(path)
        try Files.write("told\n", to: "\(path)/token")
        return path
    }

    private static func machine(_ container: borrowing TestContainer) -> [String] { Files.list("\(container.directory)/outside") }

    @Test("an image's /var/run -> /run is followed as its processes would follow it")
    func absoluteLink() throws {
        var container = try TestContainer()
        try Files.makeDirectory("\(container.image)/var")
        symlink("/run", "\(container.image)/var/run")
        let before = Files.list("/run")
        container.binds = [
            BindMount(source: try Self.volume(container), target: "/var/run/secrets/kubernetes.io/serviceaccount", readOnly: true)
        ]
        let (code, text) = try container.run(
            "cat /var/run/secrets/kubernetes.io/serviceaccount/token /run/secrets/kubernetes.io/serviceaccount/token")
        #expect((code, text) == (0, "told\ntold\n"))
        #expect(Files.list("/run") == before)
    }

    @Test(
        "a link out of the root leads nowhere but into it",
        arguments: ["absolute", "upwards", "dangling", "chain"])
    func hostileLink(_ kind: String) throws {
        var container = try TestContainer()
        let outside = "\(container.directory)/outside"
        switch kind {
        case "absolute": symlink(outside, "\(container.image)/data")
        case "upwards": symlink("../../../../../../..\(outside)", "\(container.image)/data")
        case "dangling": symlink("\(outside)/made/by/us", "\(container.image)/data")
        default:
            symlink("/second", "\(container.image)/data")
            symlink("third/../third", "\(container.image)/second")
            symlink(outside, "\(container.image)/third")
        }
        container.binds = [
            BindMount(source: try Self.volume(container), target: "/data/deep/er", readOnly: false),
            BindMount(source: "\(try Self.volume(container, "other"))/token", target: "/data/file", readOnly: true),
        ]
        let (code, text) = try container.run("cat /data/deep/er/token /data/file")
        #expect((code, text) == (0, "told\ntold\n"))
        #expect(Self.machine(container) == [])
    }

    @Test("links in a circle are an error that names the mount point")
    func circle() throws {
        var container = try TestContainer()
        symlink("b", "\(container.image)/a")
        symlink("a", "\(container.image)/b")
        container.binds = [BindMount(source: try Self.volume(container), target: "/a/x", readOnly: false)]
        do {
            _ = try container.run("true")
            Issue.record("it started")
        } catch let failed as TestContainer.Failed {
            #expect(failed.stage == "make the mount point /a/x" && failed.errno == ELOOP)
        }
    }

    @Test("what the kernel's file systems are mounted on may be links, too", arguments: ["proc", "sys", "dev"])
    func kernelMounts(_ name: String) throws {
        let container = try TestContainer()
        symlink("\(container.directory)/outside", "\(container.image)/\(name)")
        // /proc/self is what a process's own file system has, wherever the link led.
        #expect(try container.run("test -d /\(name)/self || test -d /\(name)/kernel || test -c /\(name)/null").code == 0)
        #expect(Self.machine(container) == [])
        #expect(!(Files.text("/proc/self/mounts") ?? "").contains(container.directory))
    }

    @Test("read-only means what is mounted below, too")
    func recursive() throws {
        var container = try TestContainer()
        let volume = try Self.volume(container), below = "\(volume)/below"
        try Files.makeDirectory(below)
        try #require(sandbox_mount_memory(below, 65536, 0) == 0)
        defer { Mounts.remove(below) }
        container.binds = [
            BindMount(source: volume, target: "/v", readOnly: true), BindMount(source: volume, target: "/w", readOnly: false),
        ]
        let (code, text) = try container.run("touch /w/below/a; touch /v/b || touch /v/below/c || ls /v/below")
        #expect(code == 0 && text.hasSuffix("\na\n") && !text.contains("\nc"), "\(text)")
        #expect(Files.list(below) == ["a"] && Files.list(volume) == ["below", "token"])
    }

    @Test("a sub-path stays in its volume, though somebody swaps links there all the while", .timeLimit(.minutes(5)))
    func swapped() throws {
        var container = try TestContainer()
        let volume = try Self.volume(container), outside = "\(container.directory)/outside"
        // Another container of the pod, that shares the volume: a directory and a link out take turns.
        let swapper = SmallProgram.spawn(
            ["/bin/sh", "-c", "while :; do mkdir s 2>/dev/null; rm -rf s; ln -s '\(outside)' s; rm -f s; done"].map {
                $0.replacing("while", with: "cd '\(volume)'; while")
            },
            environment: ["PATH=/usr/bin:/bin"], stdio: [-1, -1, -1])
        try #require(swapper > 0)
        defer {
            kill(swapper, SIGKILL)
            _ = TestContainer.wait(swapper)
        }
        container.binds = [BindMount(source: volume, subPath: "s/in/side", target: "/v", readOnly: false)]
        var refused = 0
        for _ in 0..<40 {
            do { _ = try container.run("echo x >/v/written") } catch let failed as TestContainer.Failed {
                // Either it was a link out, or what had been found was gone again.
                #expect(failed.stage.hasPrefix("prepare subPath") || failed.errno == ENOENT, "\(failed)")
                refused += 1
            }
            #expect(Self.machine(container) == [])
        }
        #expect(refused > 0)  // else nobody got in between
    }

    @Test("mount points that come from a shared layer leave the container's own empty, wherever the image's links lead")
    func sharedMountPoints() throws {
        var container = try TestContainer()
        let volume = try Self.volume(container)
        try Files.makeDirectory("\(container.image)/run")
        try Files.makeDirectory("\(container.image)/var")
        symlink("../run", "\(container.image)/var/run")
        container.binds = ["/etc/hosts": "\(volume)/token", "/data/x": volume].map {
            BindMount(source: $1, target: $0, readOnly: false)
        }
        let layer = try MountPoints(of: container.binds, withKernel: true) { Files.isDirectory($0.source) }.layer(
            in: "\(container.directory)/points")
        container.below = [layer]
        #expect(try container.run("cat /etc/hosts /data/x/token").text == "told\ntold\n")
        // What a container has by itself was in no image here.
        #expect(Set(Files.list("\(container.directory)/upper")).isSubset(of: ["tmp"]))
        // A link of the image hides what is below it: the mount point is made where it leads.
        container.binds.append(BindMount(source: volume, target: "/var/run/secrets", readOnly: true))
        container.below = [
            try MountPoints(of: container.binds, withKernel: true) { Files.isDirectory($0.source) }.layer(
                in: "\(container.directory)/points")
        ]
        #expect(try container.run("cat /run/secrets/token").text == "told\n")
        #expect(Files.list("\(container.directory)/points").count == 2)
        #expect(Files.list("\(layer)/data/x") == [] && Files.size("\(layer)/etc/hosts") == 0)
    }

    @Test("at a mount point that is a FIFO nobody waits", .timeLimit(.minutes(5)))
    func fifo() throws {
        var container = try TestContainer()
        mkfifo("\(container.image)/pipe", 0o666)
        container.binds = [BindMount(source: "\(try Self.volume(container))/token", target: "/pipe", readOnly: true)]
        #expect(try container.run("cat /pipe").text == "told\n")
    }

    @Test("a file or a layer whose path is too long is refused, not cut")
    func long() throws {
        var container = try TestContainer()
        let path = String(repeating: "/d123456789", count: 400)
        container.binds = [BindMount(source: try Self.volume(container), target: path, readOnly: false)]
        do {
            _ = try container.run("true")
            Issue.record("it started")
        } catch let failed as TestContainer.Failed { #expect(failed.errno == ENAMETOOLONG) }
    }

    // MARK: The terminal

    @Test("a terminal is taken though the container has put a FIFO in every place it could be looked for", .timeLimit(.minutes(5)))
    func terminal() throws {
        let container = try TestContainer()
        let (first, master) = try container.start(
            [
                "/bin/sh", "-c",
                "busybox rm -f /dev/ptmx; busybox umount /dev/console; busybox rm -f /dev/console; busybox mkfifo /dev/console /dev/ptmx; busybox touch /ready; busybox sleep 60",
            ],
            terminal: true)
        defer {
            close(master)
            kill(first, SIGKILL)
            _ = TestContainer.wait(first)
        }
        for _ in 0..<500 where !Files.exists("\(container.directory)/upper/ready") { usleep(20_000) }
        try #require(Files.exists("\(container.directory)/upper/ready"))
        let (second, terminal) = try container.enter(first, ["/bin/sh", "-c", "busybox test -t 0 && exit 7"], terminal: true)
        defer { close(terminal) }
        #expect(TestContainer.wait(second) == 7)
    }

    @Test("the console is the container's terminal, and nothing of the machine's")
    func console() throws {
        let container = try TestContainer()
        let (pid, master) = try container.start(
            ["/bin/sh", "-c", "busybox echo hello >/dev/console; busybox stat -c %t /dev/console"], terminal: true)
        defer { close(master) }
        #expect(TestContainer.wait(pid) == 0)
        // A terminal hands over a line at a time, and an error when nobody has its other end any more.
        var said = "", bytes = [UInt8](repeating: 0, count: 256)
        while case let n = read(master, &bytes, bytes.count), n > 0 { said += String(decoding: bytes.prefix(n), as: UTF8.self) }
        #expect(said.hasPrefix("hello\r\n88\r\n"))
    }

    // MARK: Keys and capabilities

    /// keyctl(KEYCTL_GET_KEYRING_ID, id) as a script for perl: -3 is the session's keyring, -4 the user's.
    private static func keyring(_ id: Int) -> String {
        "my $r = syscall(\(Self.keyctl), 0, \(id), 0); print $r < 0 ? qq(error ) . ($! + 0) : $r"
    }
    #if arch(x86_64)
        private static let keyctl = 250
    #else
        private static let keyctl = 219
    #endif

    @Test("a container has a session keyring of its own, and only a privileged one may ask for root's", arguments: [false, true])
    func keys(_ isPrivileged: Bool) throws {
        var container = try TestContainer()
        for name in ["lib", "lib64"] { symlink("usr/\(name)", "\(container.image)/\(name)") }
        container.binds = [BindMount(source: "/usr", target: "/usr", readOnly: true)]
        container.privileged = isPrivileged
        let machine = try TestNamespace().output("perl -e '\(Self.keyring(-3))'")
        let inside = try container.run("/usr/bin/perl -e '\(Self.keyring(-3))'"),
            user = try container.run("/usr/bin/perl -e '\(Self.keyring(-4))'")
        #expect(inside.code == 0 && user.code == 0)
        if isPrivileged {
            #expect(Int(inside.text) ?? 0 > 0 && inside.text != machine)
        } else {
            #expect(inside.text == "error \(ENOSYS)" && user.text == "error \(ENOSYS)")
        }
    }

    @Test("a container that wants all capabilities gets those there are")
    func capabilities() throws {
        var container = try TestContainer()
        container.privileged = true
        container.capabilities = (1 << 41) - 1
        let own = (Files.text("/proc/self/status") ?? "").split(separator: "\n").first { $0.hasPrefix("CapPrm") }?.split(separator: "\t")
            .last
        let (code, text) = try container.run("busybox grep -e CapEff -e CapBnd /proc/self/status")
        #expect(code == 0)
        #expect(text.split(separator: "\n").map { $0.split(separator: "\t").last } == [own, own])
    }
}
