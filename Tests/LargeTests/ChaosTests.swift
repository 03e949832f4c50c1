import Testing

@Suite("[Serial] chaos", .serialized, .printsClusters)
struct ChaosTests {
    @Test(
        "a short round: no acknowledged write is lost, a connection outlives the daemon's kills, and the cluster is whole again by itself")
    func short() {
        let round = Shell.run("scripts/chaos --seconds 40 --seed 10", seconds: 300)
        #expect(round.isSuccess, "\(round)")
        #expect(Shell.run("scripts/leaks chaos").output.isEmpty)
    }
}
