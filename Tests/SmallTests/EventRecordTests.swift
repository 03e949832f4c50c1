import API
import Model
import Testing

@Suite("Events")
struct EventRecordTests {
    @Test("of one second stand in the order in which they happened, by their names; the same again raises a count")
    func order() async throws {
        let api = try await Fixture.api(), reasons = ["Scheduled", "Pulled", "Created", "Started", "Killing"]
        let pod = Pod(try await api.create(.pods, Fixture.pod("a", image: "busybox", node: "n1")))
        for reason in reasons { await api.recordEvent(about: pod, reason: reason, message: "m", component: "kubelet") }
        for _ in 0..<2 { await api.recordEvent(about: pod, reason: "Pulled", message: "m", component: "kubelet") }
        let events = try await api.list(.events, namespace: "default", selector: nil).items
        #expect(events.sorted { ($0.metadata.name) < ($1.metadata.name) }.compactMap { $0["reason"].string } == reasons)
        #expect(events.map { $0["count"].int } == [1, 3, 1, 1, 1])
        // One that is gone by now is another one.
        let pulled = try #require(events.first { $0["reason"] == "Pulled" })
        try await api.delete(.events, ObjectKey("default", pulled.metadata.name))
        await api.recordEvent(about: pod, reason: "Pulled", message: "m", component: "kubelet")
        #expect(try await api.get(.events, ObjectKey("default", pulled.metadata.name))["count"] == 1)
    }

    @Test("are called after the moment of the first, in hexadecimal nanoseconds, and no two alike")
    func names() throws {
        let names = EventNames(), now = Timestamp(seconds: 1_700_000_000, nanoseconds: 5)
        let first = names.name(of: "x", about: "pod", at: now), second = names.name(of: "y", about: "pod", at: now)
        #expect(
            first.name == "pod.\(String(1_700_000_000_000_000_005, radix: 16))" && first.isNew && second.isNew && second.name > first.name)
        let again = names.name(of: "x", about: "pod", at: Timestamp(seconds: 1_700_000_009))
        #expect(again.name == first.name && !again.isNew)
    }

    @Test("of long ago are forgotten, those that happen again and again are not")
    func forgotten() {
        let names = EventNames(), now = Timestamp(seconds: 1_700_000_000)
        let rare = names.name(of: "rare", about: "pod", at: now).name, often = names.name(of: "often", about: "pod", at: now).name
        for number in 0..<5000 {
            _ = names.name(of: "\(number)", about: "pod", at: now)
            _ = names.name(of: "often", about: "pod", at: now)
        }
        #expect(names.name(of: "often", about: "pod", at: now).name == often)
        #expect(names.name(of: "rare", about: "pod", at: now).name != rare)
    }
}
