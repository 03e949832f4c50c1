import Model
import Runtime
import Testing

@Suite("probes")
struct ProbeTests {
    private static func container(_ probe: JSON) -> Container {
        Container(["name": "web", "ports": [["name": "http", "containerPort": 8080]], "readinessProbe": probe])
    }

    @Test("what the spec leaves open has Kubernetes' defaults")
    func defaults() throws {
        let probe = try #require(Probe(.readiness, of: Self.container(["httpGet": ["port": "http"]])))
        #expect(probe.action == .httpGet(scheme: "HTTP", host: nil, port: "http", path: "/", headers: [:]))
        #expect((probe.initialDelay, probe.timeout, probe.period) == (0, 1, 10))
        #expect((probe.successThreshold, probe.failureThreshold) == (1, 3))
        #expect(Probe(.liveness, of: Self.container(.null)) == nil)
    }

    @Test("a port is a number, a name, or nothing")
    func ports() {
        let container = Self.container(.null)
        #expect(Probe.port(80, of: container) == 80)
        #expect(Probe.port("http", of: container) == 8080)
        #expect(Probe.port("81", of: container) == 81)
        #expect(Probe.port("nobody", of: container) == nil && Probe.port(70000, of: container) == nil)
    }

    @Test("only so many answers in a row decide, and one of the other kind starts the count again")
    func thresholds() throws {
        let probe = try #require(
            Probe(.readiness, of: Self.container(["tcpSocket": ["port": 1], "successThreshold": 2, "failureThreshold": 3])))
        var tally = ProbeTally(probe)
        let answers: [(Bool, Bool?)] = [
            (true, nil), (false, nil), (false, nil), (true, nil), (true, true), (true, true), (false, nil), (false, nil), (false, false),
            (false, false),
        ]
        for (index, (answer, decided)) in answers.enumerated() { #expect(tally.note(answer) == decided, "answer \(index)") }
    }
}
