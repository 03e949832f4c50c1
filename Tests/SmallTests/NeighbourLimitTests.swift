import Foundation
import Host
import Runtime
import Testing

@Suite("the machine's limit of neighbours")
struct NeighbourLimitTests {
    @Test("is raised where it is lower, and left where it is not there or higher")
    func raise() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "neighbours-\(UUID().uuidString)").path
        defer { Files.removeTree(folder) }
        #expect(NeighbourLimit.raise(in: folder).isEmpty)
        for (family, limit) in [("ipv4", "1024"), ("ipv6", "200000")] {
            try Files.makeDirectory("\(folder)/\(family)/neigh/default")
            for name in ["gc_thresh2", "gc_thresh3"] { try Files.write("\(limit)\n", to: "\(folder)/\(family)/neigh/default/\(name)") }
        }
        #expect(NeighbourLimit.raise(in: folder).isEmpty)
        #expect(Files.text("\(folder)/ipv4/neigh/default/gc_thresh3")?.hasPrefix("65536") == true)
        #expect(Files.text("\(folder)/ipv4/neigh/default/gc_thresh2")?.hasPrefix("32768") == true)
        #expect(Files.text("\(folder)/ipv6/neigh/default/gc_thresh3") == "200000\n")
    }
}
