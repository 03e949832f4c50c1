import Runtime
import Testing

@Suite("control groups")
struct CgroupTests {
    static let hybrid = """
        tmpfs /sys/fs/cgroup tmpfs rw,relatime,mode=755 0 0
        cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0
        cgroup /sys/fs/cgroup/devices cgroup rw,relatime,devices 0 0
        cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
        """

    @Test("a machine with both versions has both")
    func both() {
        let here = Cgroups(mounts: Self.hybrid)
        #expect(here.controllers["devices"] == "/sys/fs/cgroup/devices" && here.controllers["cpuacct"] == "/sys/fs/cgroup/cpu,cpuacct")
        #expect(here.unified == "/sys/fs/cgroup/unified")
    }

    @Test("what is mounted read-only, as in a container, is no use")
    func readOnly() {
        let here = Cgroups(mounts: "cgroup2 /sys/fs/cgroup cgroup2 ro,nosuid 0 0\ncgroup /c/devices cgroup ro,devices 0 0\n")
        #expect(here.unified == nil && here.controllers["devices"] == nil && here.deviceControl() == nil)
        #expect(Cgroups(mounts: "").deviceControl() == nil)
    }

    @Test("paths")
    func paths() {
        #expect(CgroupPath.cluster("lab").node("n1").pod("u-1").container("web", life: 2).description == "minik/lab/n1/u-1/web.2")
    }

    @Test("where nothing limits devices a group is no directory, and its end no work")
    func none() throws {
        let cgroup = Cgroup(.cluster("lab"), nil)
        #expect(try cgroup.make(devices: DeviceRule.standard) == [])
        #expect(cgroup.delete() == [] && cgroup.children == [] && !cgroup.exists)
    }

    @Test("rules as version 1 writes them")
    func words() {
        #expect(
            DeviceRule.standard.map(\.description) == [
                "b *:* m", "c *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm", "c 5:2 rwm",
                "c 136:* rwm",
            ])
    }

    /// The kernel's machine, as far as device programs use it.
    private static func run(_ program: [DeviceProgram.Instruction], _ words: [UInt64]) throws -> UInt64 {
        var registers = [UInt64](repeating: 0, count: 11), at = 0
        for _ in 0..<10_000 {
            try #require(program.indices.contains(at))
            let now = program[at], target = Int(now.target), value = UInt64(bitPattern: Int64(now.value))
            at += 1
            switch now.code {
            case DeviceProgram.load: registers[target] = words[Int(now.offset) / 4]
            case DeviceProgram.copy: registers[target] = registers[Int(now.source)]
            case DeviceProgram.set: registers[target] = value
            case DeviceProgram.and: registers[target] &= value
            case DeviceProgram.shift: registers[target] >>= value
            case DeviceProgram.jumpUnless: if registers[target] != value { at += Int(now.offset) }
            case DeviceProgram.exit: return registers[0]
            default: Issue.record("unknown code \(now.code)")
            }
        }
        throw CancellationError()
    }

    @Test("a program answers as its rules do, whatever device is asked for")
    func program() throws {
        let rules = DeviceRule.standard + [DeviceRule(.block, 7, nil, [.read]), DeviceRule(.character, 10, 200, [.read, .write])]
        let program = DeviceProgram.compile(rules)
        var allowed = 0, asked = 0
        for kind in DeviceRule.Kind.allCases {
            for major in [0, 1, 5, 7, 8, 10, 136, 137, 4095] {
                for minor in [0, 1, 2, 3, 5, 8, 9, 200, 255, 1_048_575] {
                    for wanted in 1...7 {
                        let access = DeviceRule.Access(rawValue: wanted)
                        let expected = rules.contains { $0.allows(kind, major, minor, access) }
                        let word = UInt64(wanted << 16 | (kind == .block ? 1 : 2))
                        #expect(
                            try Self.run(program, [word, UInt64(major), UInt64(minor)]) == (expected ? 1 : 0),
                            "\(kind) \(major):\(minor) \(wanted)")
                        asked += 1
                        if expected { allowed += 1 }
                    }
                }
            }
        }
        #expect(allowed > 100 && allowed < asked / 2)
    }

    @Test("an instruction lies in memory as the kernel reads it")
    func encoded() {
        let load = DeviceProgram.compile([])[4]
        #expect(load.encoded == 0x0000_0000_0004_1461)  // r4 = *(u32 *)(r1 + 4)
    }
}
