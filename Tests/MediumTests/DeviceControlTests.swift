import Foundation
import Glibc
import Host
import Runtime
import ShimProtocol
import Testing

@Suite("which devices a container has")
struct DeviceControlTests {
    /// Those of this machine that can be tried.
    static var controls: [Cgroups.DeviceControl] {
        let here = Cgroups.ofMachine()
        return [here.controllers["devices"].map(Cgroups.DeviceControl.list), here.unified.map(Cgroups.DeviceControl.program)].compactMap {
            $0
        }
    }

    private static func group(_ control: Cgroups.DeviceControl) -> Cgroup {
        Cgroup(.cluster("mt-\(UUID().uuidString.prefix(8).lowercased())").node("n").pod("u").container("c", life: 0), control)
    }

    private static func delete(_ group: Cgroup, _ control: Cgroups.DeviceControl) {
        let parts = group.path.description.split(separator: "/")
        #expect(Cgroup(.cluster(String(parts[1])), control).delete(milliseconds: 2000) == [])
        Cgroup(.root, control).deleteIfEmpty()
    }

    @Test("this machine has a way to limit devices")
    func some() {
        #expect(!Self.controls.isEmpty && Cgroups.ofMachine().deviceControl() == Self.controls.first)
        #expect(Cgroups.shortcoming == nil)
    }

    @Test("a container may make any device file, and opens the standard ones alone", arguments: controls)
    func standard(_ control: Cgroups.DeviceControl) throws {
        let group = Self.group(control)
        defer { Self.delete(group, control) }
        var container = try TestContainer()
        container.cgroups = try group.make(devices: DeviceRule.standard)
        let volume = "\(container.directory)/volume"
        try Files.makeDirectory(volume)
        container.binds = [BindMount(source: volume, target: "/v", readOnly: false)]
        let (code, text) = try container.run(
            """
            export PATH=/bin; cd /v
            for d in null zero full random urandom; do busybox head -c 1 /dev/$d >/dev/null || echo "no $d"; done
            busybox mknod other c 1 3 && echo x >other && echo "made null"
            busybox mknod loop b 7 0 && echo "made loop"; busybox head -c 1 loop
            busybox mknod tun c 10 200; busybox head -c 1 tun; busybox mknod console c 5 1; echo x >console
            busybox mknod /lc c 10 237; busybox head -c 1 /lc; echo done
            """)
        #expect(code == 0)
        #expect(!text.contains("no "), "\(text)")
        #expect(text.contains("made null\n") && text.contains("made loop\n") && text.hasSuffix("done\n"))
        for name in ["loop", "tun", "console", "/lc"] { #expect(text.contains("\(name): Operation not permitted"), "\(name): \(text)") }
    }

    @Test("who is let in later is held as well", arguments: controls)
    func entered(_ control: Cgroups.DeviceControl) throws {
        let group = Self.group(control)
        defer { Self.delete(group, control) }
        var container = try TestContainer()
        container.cgroups = try group.make(devices: DeviceRule.standard)
        let (first, _) = try container.start(["/bin/busybox", "sleep", "60"])
        let (second, _) = try container.enter(first, ["/bin/sh", "-c", "busybox mknod /lb b 7 0 && ! busybox head -c 1 /lb"])
        #expect(TestContainer.wait(second) == 0)
        kill(first, SIGKILL)
        _ = TestContainer.wait(first)
    }

    @Test("a privileged container has the machine's devices")
    func privileged() throws {
        var container = try TestContainer()
        container.privileged = true
        container.devices = MachineDevices.all()
        let names = Set(container.devices.map(\.path))
        let own = try FileManager.default.contentsOfDirectory(atPath: "/dev").filter { name in
            var info = stat()
            return lstat("/dev/\(name)", &info) == 0 && [S_IFCHR, S_IFBLK].contains(info.st_mode & S_IFMT)
                && !["console", "ptmx"].contains(name)
        }
        #expect(names.isSuperset(of: own) && own.count > 6)
        let told = try TestNamespace().output("cd /dev && stat -c '%n %t %T %a' \(own.joined(separator: " "))").split(separator: "\n").map(
            String.init)
        func hex(_ number: Int, _ radix: Int = 16) -> String { String(number, radix: radix) }
        let ours = container.devices.map { "\($0.path) \(hex($0.major)) \(hex($0.minor)) \(hex($0.mode & 0o7777, 8))" }
        let differing = Set(told).subtracting(ours).filter { line in !DeviceNode.standard.contains { line.hasPrefix("\($0.path) ") } }
        #expect(differing == [])
        #expect(
            try container.run("busybox ls /dev").text.split(separator: "\n").map(String.init).filter(Set(own).contains).count == own.count)
    }

    @Test("where nothing limits devices, none on the container's layers and volumes opens")
    func noDevices() throws {
        var container = try TestContainer()
        container.noDevices = true
        let volume = "\(container.directory)/volume"
        try Files.makeDirectory(volume)
        // A node that opens on its own: null.
        for path in ["\(volume)/null", "\(container.image)/null"] { try #require(mknod(path, S_IFCHR | 0o666, 0x103) == 0) }
        container.binds = [
            BindMount(source: volume, target: "/v", readOnly: false), BindMount(source: volume, target: "/r", readOnly: true),
        ]
        let (code, text) = try container.run(
            "echo x >/dev/null && echo own; for n in /v/null /r/null /null; do (echo x >$n) || echo $n closed; done")
        #expect(code == 0)
        for line in ["own", "/v/null closed", "/r/null closed", "/null closed"] { #expect(text.contains("\(line)\n"), "\(text)") }
    }

    @Test("a group goes with what is below it, and waits for who is still there", arguments: controls)
    func removal(_ control: Cgroups.DeviceControl) throws {
        let group = Self.group(control)
        let directories = try group.make(devices: nil)
        try Files.makeDirectory("\(directories[0])/below")
        let sleeper = SmallProgram.spawn(
            ["/bin/sh", "-c", "echo 0 >\(directories[0])/below/cgroup.procs; exec sleep 0.3"], environment: ["PATH=/usr/bin:/bin"],
            stdio: [-1, -1, -1])
        for _ in 0..<100 where (Files.text("\(directories[0])/below/cgroup.procs") ?? "").isEmpty { usleep(2000) }
        #expect(group.delete() == ["\(directories[0]) is still there: processes run in it"])
        let reaped = Task.detached { TestContainer.wait(sleeper) }
        #expect(group.delete(milliseconds: 5000) == [] && !group.exists)
        #expect(group.delete() == [])
        _ = reaped
        Self.delete(group, control)
    }
}
