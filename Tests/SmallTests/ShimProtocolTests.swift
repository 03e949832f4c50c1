import Model
import ShimProtocol
import Testing

@Suite("daemon and shim understand each other, or say that they do not")
struct ShimProtocolTests {
    static var container: ContainerSpec {
        var spec = ContainerSpec()
        spec.name = "c"
        spec.binds = [BindMount(source: "/s", subPath: "sub", target: "/t", readOnly: true, onNode: true)]
        spec.devices = DeviceNode.standard
        spec.process.argv = ["sh", "-c", "true"]
        spec.process.uid = 33
        spec.process.groups = [33, 4000]
        spec.process.capabilities = 0xA804_25FB
        spec.process.cgroups = ["/sys/fs/cgroup/devices/minik/lab/n/u/c.0"]
        return spec
    }

    @Test("a start is read as it was written, and says its version")
    func start() throws {
        let json = ShimRequest.start(Self.container).json
        #expect(json.packetVersion == ShimVersion.current)
        guard case .start(let read) = try ShimRequest(json) else { throw PacketError("another request") }
        #expect(read == Self.container)
    }

    @Test(
        "what is missing of a process is no default: without a uid nobody becomes root",
        arguments: [
            "uid", "gid", "groups", "capabilities", "noNewPrivileges", "privileged", "argv", "environment", "cgroups", "workingDirectory",
            "tty",
        ])
    func incomplete(_ member: String) {
        var json = ShimRequest.start(Self.container).json
        json["spec"]["process"][member] = .null
        #expect(throws: PacketError.self) { try ShimRequest(json) }
        json["spec"]["process"][member] = .object(JSONObject())
        #expect(throws: PacketError.self) { try ShimRequest(json) }
    }

    @Test(
        "what is missing of a container is no default",
        arguments: ["name", "binds", "devices", "noDevices", "readOnlyRoot", "process", "target", "processes"])
    func incompleteContainer(_ member: String) {
        var json = ShimRequest.start(Self.container).json
        json["spec"][member] = .null
        #expect(throws: PacketError.self) { try ShimRequest(json) }
    }

    @Test("who attaches hears what was said before only when asked for, by a word that an older shim refuses", arguments: [false, true])
    func attach(fromStart: Bool) throws {
        let json = ShimRequest.attach(container: "c", fromStart: fromStart).json
        #expect(json["op"].string == (fromStart ? "attachFromStart" : "attach"))
        guard case .attach("c", fromStart) = try ShimRequest(json) else { throw PacketError("another request") }
    }

    @Test("an unknown request and an unknown word are named")
    func unknown() {
        #expect(throws: PacketError("unknown request \"checkpoint\"")) { try ShimRequest(["op": "checkpoint", "version": 9]) }
        #expect(throws: PacketError("unknown word \"thawed\"")) { try ShimReply(["say": "thawed", "version": 9]) }
        #expect(throws: PacketError.self) { try ShimReply(["say": "ended"]) }
    }

    @Test("a shim of version 1 says no version, and what it says of its containers is read")
    func older() throws {
        let said = try JSON(
            parsing: Array(
                #"{"say":"state","records":[{"name":"a","pid":7,"startedAt":"2026-11-28T14:00:00.000000000Z","finishedAt":null,"exitCode":null,"signal":0}]}"#
                    .utf8))
        #expect(said.packetVersion == 1)
        guard case .state(let records) = try ShimReply(said) else { throw PacketError("another reply") }
        #expect(records.map(\.pid) == [7])
    }

    @Test("a container that has ended has an exit code")
    func ended() {
        #expect(throws: PacketError.self) {
            try ContainerRecord(["name": "a", "pid": 0, "startedAt": "2026-11-28T14:00:00Z", "signal": 0])
        }
    }
}
