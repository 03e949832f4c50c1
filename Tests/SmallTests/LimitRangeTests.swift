import API
import Model
import Testing

private func setting(_ object: JSON, _ change: (inout JSON) -> Void) -> JSON {
    var object = object
    change(&object)
    return object
}

@Suite("LimitRange")
struct LimitRangeTests {
    private let limits: JSON = [
        [
            "type": "Container", "default": ["cpu": "500m", "memory": "256Mi"], "defaultRequest": ["cpu": "100m"],
            "max": ["cpu": "1", "memory": "512Mi"], "min": ["cpu": "50m"], "maxLimitRequestRatio": ["cpu": "8"],
        ], ["type": "Pod", "max": ["cpu": "1500m"], "min": ["memory": "16Mi"]],
    ]

    private func create(_ resources: JSON...) async throws -> JSON {
        let api = try await Fixture.api()
        _ = try await api.create(.limitRanges, ["metadata": ["name": "limits", "namespace": "default"], "spec": ["limits": limits]])
        let containers = resources.enumerated().map { index, resources -> JSON in
            ["name": .string("c\(index)"), "image": "b", "resources": resources]
        }
        return try await api.create(.pods, setting(Fixture.pod("p")) { $0["spec"]["containers"] = .array(containers) })
    }

    @Test("containers that name none are given its requests and limits; a limit that is named serves as the request")
    func defaults() async throws {
        let pod = try await create([:], ["limits": ["cpu": "200m"]])
        let resources = pod["spec"]["containers"].items.map { $0["resources"] }
        #expect(resources[0]["requests"]["cpu"] == "100m" && resources[0]["limits"]["cpu"] == "500m")
        #expect(resources[1]["requests"]["cpu"] == "200m" && resources[1]["limits"]["cpu"] == "200m")
    }

    @Test("a ratio beyond every whole number is told, and all LimitRanges give their defaults before any looks at its bounds")
    func extremes() async throws {
        let api = try await Fixture.api()
        func range(_ name: String, _ limit: JSON) async throws {
            _ = try await api.create(
                .limitRanges, ["metadata": ["name": .string(name), "namespace": "default"], "spec": ["limits": [limit]]])
        }
        try await range("a", ["type": "Pod", "max": ["memory": "1Gi"]])
        try await range("b", ["type": "Container", "default": ["memory": "256Mi"]])
        _ = try await api.create(.pods, Fixture.pod("p"))
        try await range("c", ["type": "Container", "maxLimitRequestRatio": ["memory": "2"]])
        func odd(_ limit: String) -> JSON {
            let resources: JSON = ["requests": ["memory": "1m"], "limits": ["memory": .string(limit)]]
            return setting(Fixture.pod("q")) { $0["spec"]["containers"] = [["name": "c", "image": "b", "resources": resources]] }
        }
        let error = await #expect(throws: StatusError.self) { _ = try await api.create(.pods, odd("512Mi")) }
        #expect(error?.message.hasSuffix("but provided ratio is 536870912000.000000") == true, "\(error?.message ?? "")")
        await #expect(throws: StatusError.self) { _ = try await api.create(.pods, odd("99999999999E")) }
    }

    @Test(
        "a container's bounds, a limit's ratio to its request, and what a pod's containers take together",
        arguments: [
            (
                [["limits": ["cpu": "2", "memory": "1Gi"]]],
                "[maximum cpu usage per Container is 1, but limit is 2, maximum memory usage per Container is 512Mi, but limit is 1Gi, maximum cpu usage per Pod is 1500m, but limit is 2]"
            ),
            (
                [["requests": ["cpu": "50m"], "limits": ["cpu": "1"]]],
                "cpu max limit to request ratio per Container is 8, but provided ratio is 20.000000"
            ), ([["limits": ["memory": "8Mi"]]], "minimum memory usage per Pod is 16Mi, but request is 8Mi"),
            ([["limits": ["cpu": "1"]], ["limits": ["cpu": "1"]]], "maximum cpu usage per Pod is 1500m, but limit is 2"),
        ] as [([JSON], String)])
    func bounds(_ resources: [JSON], _ words: String) async throws {
        let error = await #expect(throws: StatusError.self) {
            if resources.count == 1 { _ = try await create(resources[0]) } else { _ = try await create(resources[0], resources[1]) }
        }
        #expect(error?.message == "pods \"p\" is forbidden: \(words)" && error?.code == 403)
    }
}
