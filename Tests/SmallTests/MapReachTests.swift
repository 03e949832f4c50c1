import Lab
import Model
import Netlink
import Proxy
import Testing

@Suite("The map knows who reaches whom, and what each change did")
struct MapReachTests {
    /// The letter of a cell.
    private func letter(_ reach: MapReach, _ from: String, _ to: String, _ probe: String = "TCP/80") throws -> Character {
        let row = try #require(reach.sources.firstIndex { $0.id == from }), column = try #require(reach.targets.firstIndex { $0.id == to })
        let index = try #require(reach.probes.firstIndex(of: probe))
        return Array(reach.rows[index][row])[column]
    }

    @Test("what a policy closes is closed, and the difference says so")
    func differences() throws {
        let open = MapReach(MapFixture.snapshot()), shut = MapReach(MapFixture.snapshot(policies: [MapFixture.onlyClient]))
        #expect(try letter(open, "default/other", "default/web") == ".")
        #expect(try letter(shut, "default/other", "default/web") == "X")
        #expect(try letter(shut, "default/client", "default/web") == ".")
        #expect(try letter(shut, "outside", "default/web") == "X")
        let differences = open.differences(to: shut)
        #expect(Set(differences.map(\.from)) == ["default/other", "outside", "node/n2"] && Set(differences.map(\.to)) == ["default/web"])
        #expect(differences.allSatisfy { $0.before == "." && $0.after == "X" })
        #expect(Set(shut.differences(to: open).map(\.after)) == ["."])
    }

    @Test("of many pods one of each kin is asked")
    func kins() {
        var snapshot = MapFixture.snapshot()
        snapshot.pods += (0..<60).map { MapFixture.pod("w-\($0)", 1 + $0 % 2, 50 + $0, app: "w", owner: "w-1") }
        let reach = MapReach(snapshot)
        #expect(!reach.isWhole && reach.targets.map(\.pods.count).sorted() == [1, 1, 1, 60])
        #expect(!reach.sources.contains { $0.id.hasPrefix("node/") } && reach.leftOut == 0)
        // One that somebody has labelled otherwise is another's kin.
        snapshot.pods[10].json["metadata"]["labels"]["quarantine"] = "yes"
        #expect(MapReach(snapshot).targets.map(\.pods.count).sorted() == [1, 1, 1, 1, 59])
    }

    @Test("a kin's cell with itself is about two of its pods: a policy that isolates all of them closes it")
    func kinWithItself() throws {
        var shut = MapFixture.onlyClient
        shut["spec"]["podSelector"] = ["matchLabels": ["app": "w"]]
        var snapshot = MapFixture.snapshot(policies: [shut])
        snapshot.pods += (0..<60).map { MapFixture.pod("w-\($0)", 1 + $0 % 2, 50 + $0, app: "w", owner: "w-1") }
        #expect(try letter(MapReach(snapshot), "default/w-0", "default/w-0") == "X")
        snapshot.policies = []
        #expect(try letter(MapReach(snapshot), "default/w-0", "default/w-0") == ".")
        // One alone is asked about itself.
        #expect(try letter(MapReach(MapFixture.snapshot(policies: [shut])), "default/web", "default/web") == ".")
    }

    @Test("the history keeps what changed, in words, and not more than it may")
    func history() {
        var history = MapHistory()
        func note(_ policies: [JSON]) {
            let snapshot = MapFixture.snapshot(policies: policies)
            history.note(snapshot, MapReach(snapshot), at: Fixture.time)
        }
        note([])
        note([])
        note([MapFixture.onlyClient])
        note([])
        #expect(
            history.changes.map(\.title).dropFirst() == [
                "NetworkPolicy default/only-client created", "NetworkPolicy default/only-client deleted",
            ])
        #expect(history.changes.map { $0.differences.isEmpty } == [true, false, false])
        for _ in 0..<MapHistory.most { note([MapFixture.onlyClient]); note([]) }
        #expect(history.changes.count == MapHistory.most && history.changes.last?.number == 2 + 2 * MapHistory.most)
    }

    private func tuple(_ source: String, _ destination: String, _ ports: (UInt16, UInt16) = (40000, 80)) throws -> ConnectionTuple {
        var tuple = ConnectionTuple()
        tuple.source = try #require(IPAddress(source))
        tuple.destination = try #require(IPAddress(destination))
        (tuple.proto, tuple.sourcePort, tuple.destinationPort) = (6, ports.0, ports.1)
        return tuple
    }

    @Test("a connection moves when it is new and when its end has been put off")
    func moves() throws {
        let old = try tuple("10.244.1.6", "10.244.0.5"), new = try tuple("10.244.1.6", "10.244.0.5", (40001, 80))
        var moves = ConnectionMoves()
        #expect(moves.moved([(old, old.reversed, 432_000)], now: 0).isEmpty)
        // Time passes and nothing is sent: its end stays where it is, but for a second's rounding.
        #expect(
            moves.moved([(old, old.reversed, 431_999)], now: 1).isEmpty && moves.moved([(old, old.reversed, 431_998)], now: 2.9).isEmpty)
        #expect(moves.moved([(old, old.reversed, 432_000)], now: 3).count == 1)
        #expect(
            moves.moved([(old, old.reversed, 431_999), (new, new.reversed, 120)], now: 4) == [.init(original: new, reply: new.reversed)])
        #expect(moves.moved([(old, old.reversed, 120)], now: 5).count == 1, "it was closed")
    }

    @Test("what two nodes track flows once, under the Service's name")
    func flows() throws {
        let map = ClusterMap(MapFixture.snapshot(), MapFixture.sight())
        let sent = try tuple("10.244.1.6", "10.96.0.7"), reached = try tuple("10.244.1.6", "10.244.0.5")
        let both = ConnectionMoves.once([
            .init(original: reached, reply: reached.reversed), .init(original: sent, reply: reached.reversed),
        ])
        let flows = MapFlow.flows(both, map)
        #expect(flows.map(\.from) == ["default/client"] && flows.map(\.to) == ["default/web"])
        #expect(flows.map(\.service) == ["default/web"] && flows.map(\.port) == ["TCP/80"] && flows.map(\.count) == [1])
        let port = try tuple("10.244.1.6", "192.168.200.128", (40002, 30080))
        #expect(MapFlow.flows([.init(original: port, reply: reached.reversed)], map).map(\.service) == ["default/web"])
        // Nobody in the picture has this address.
        let stranger = try tuple("10.244.1.6", "203.0.113.9")
        #expect(MapFlow.flows([.init(original: stranger, reply: stranger.reversed)], map).isEmpty)
    }
}
