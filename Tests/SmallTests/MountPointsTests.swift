import Foundation
import Host
import Runtime
import ShimProtocol
import Testing

@Suite("Mount points that containers share")
struct MountPointsTests {
    private static func points(_ binds: [(source: String, subPath: String, target: String)]) -> MountPoints {
        MountPoints(of: binds.map { BindMount(source: $0.source, subPath: $0.subPath, target: $0.target, readOnly: false) }) {
            $0.source == "gone" ? nil : $0.source.hasSuffix("/")
        }
    }

    @Test("directories and files stand where they are wanted, in one order whatever theirs was")
    func both() {
        let one = Self.points([("d/", "", "/var/./data/"), ("f", "", "/etc/hosts"), ("d/", "", "/a")])
        #expect(one.directories == ["a", "var/data"] && one.files == ["etc/hosts"])
        #expect(one == Self.points([("x/", "", "//a"), ("g", "", "/etc/hosts"), ("y/", "", "/var/data")]))
    }

    @Test("what only the volume or the container knows is left to its start")
    func leftOut() {
        let points = Self.points([
            ("d/", "sub", "/a"), ("gone", "", "/b"), ("f", "", "/dev/termination-log"), ("d/", "", "/c/../d"), ("d/", "", "/"),
            ("d/", "", "/proc/x"), ("d/", "", "/e"), ("d/", "", "/e/below"), ("f", "", "/e"),
        ])
        #expect(points.directories == [] && points.files == ["e"])
    }

    @Test("many at once make one layer, and it is whole")
    func layer() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "points-\(UUID().uuidString)").path
        defer { Files.removeTree(folder) }
        let points = Self.points([("d/", "", "/var/data"), ("f", "", "/etc/hosts"), ("f", "", "/etc/resolv.conf")])
        let layers = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<20 { group.addTask { try points.layer(in: folder) } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        let layer = try #require(layers.first)
        #expect(layers.count == 1 && Files.list(folder).count == 1)
        #expect(Files.list(layer) == ["etc", "var"] && Files.list("\(layer)/etc") == ["hosts", "resolv.conf"])
        #expect(Files.isDirectory("\(layer)/var/data") && !Files.isDirectory("\(layer)/etc/hosts"))
    }

    @Test("a layer that cannot be made names its place, and leaves nothing")
    func refused() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "points-\(UUID().uuidString)").path
        defer { Files.removeTree(folder) }
        try Files.makeDirectory(folder)
        let long = String(repeating: "x", count: 300)
        #expect { try Self.points([("d/", "", "/\(long)")]).layer(in: folder) } throws: { "\($0)".contains(long) }
        #expect(Files.list(folder) == [])
    }
}
