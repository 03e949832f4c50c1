import API
import Model
import Testing

/// What is refused as a whole, and in which words: another kind, another version, another object.
@Suite("objects that are not what their path says")
struct ForeignTypeTests {
    private func refusal(_ call: () async throws -> Void) async throws -> StatusError {
        do { try await call() } catch let error as StatusError { return error }
        throw TookTooLong(what: "a refusal came")
    }

    private func refusal(of kind: String, _ apiVersion: String, as resource: Resource) async throws -> String {
        let api = try await Fixture.api()
        let error = try await refusal {
            _ = try await api.create(resource, ["kind": .string(kind), "apiVersion": .string(apiVersion), "metadata": ["name": "a"]])
        }
        #expect(error.code == 400 && error.reason == .badRequest)
        return error.message
    }

    @Test("a kind or version that nobody knows is named as the scheme does")
    func unregistered() async throws {
        let scheme = "in scheme \"pkg/api/legacyscheme/scheme.go:30\""
        #expect(
            try await refusal(of: "Podx", "v1", as: .pods)
                == "Podx in version \"v1\" cannot be handled as a Pod: no kind \"Podx\" is registered for version \"v1\" \(scheme)")
        let job = try #require(Registry.kind(apiVersion: "batch/v1", kind: "Job")).resource
        #expect(
            try await refusal(of: "Job", "batch/v1x", as: job)
                == "Job in version \"v1x\" cannot be handled as a Job: no kind \"Job\" is registered for version \"batch/v1x\" \(scheme)")
    }

    @Test("a known kind is another one, and a known version not the one expected")
    func registered() async throws {
        #expect(
            try await refusal(of: "Deployment", "apps/v1", as: .pods)
                == "Deployment in version \"v1\" cannot be handled as a Pod: converting (v1.Deployment) to (core.Pod): unknown conversion")
        #expect(
            try await refusal(of: "PodList", "v1", as: .pods)
                == "PodList in version \"v1\" cannot be handled as a Pod: converting (v1.PodList) to (core.Pod): unknown conversion")
        let deployment = try #require(Registry.kind(apiVersion: "apps/v1", kind: "Deployment")).resource
        #expect(
            try await refusal(of: "Deployment", "extensions/v1beta1", as: deployment)
                == "the API version in the data (extensions/v1beta1) does not match the expected API version (apps/v1)")
    }

    @Test("another uid is told with the place where the object is kept", arguments: [(true, "/services/specs/"), (false, "/pods/")])
    func otherObject(isService: Bool, folder: String) async throws {
        let api = try await Fixture.api()
        let resource = isService ? Resource.services : .pods
        var made = try await api.create(resource, isService ? Fixture.service("a") : Fixture.pod("a"))
        let uid = try #require(made["metadata"]["uid"].string), namespace = try #require(made["metadata"]["namespace"].string)
        made["metadata"]["uid"] = "other"
        let error = try await refusal { _ = try await api.update(resource, made) }
        #expect(error.code == 409)
        #expect(
            error.message
                == "Operation cannot be fulfilled on \(resource) \"a\": StorageError: invalid object, Code: 4, Key: \(folder)\(namespace)/a, "
                + "ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: other, UID in object meta: \(uid)")
    }

    @Test("a patch that makes it another object says so, once in words and twice in causes")
    func patchedUID() async throws {
        let api = try await Fixture.api()
        _ = try await api.create(.pods, Fixture.pod("a"))
        let error = try await refusal { _ = try await api.patch(.pods, Fixture.key("a"), ["metadata": ["uid": "other"]]) }
        #expect(error.message == "Pod \"a\" is invalid: metadata.uid: Invalid value: \"other\": field is immutable")
        #expect(error.causes.map(\.field) == ["metadata.uid", "metadata.uid"])
    }

    @Test(
        "operators of tolerations that are off are only told to who asks for one",
        arguments: [("Bogus", ""), ("Lt", ", \"Lt\", \"Gt\"")])
    func tolerations(name: String, more: String) async throws {
        let api = try await Fixture.api()
        var pod = Fixture.pod("a")
        pod["spec"]["tolerations"] = [["key": "a", "operator": .string(name)]]
        let causes = try await refusal { _ = try await api.create(.pods, pod) }.causes
        #expect(causes.map(\.message) == ["Unsupported value: \"\(name)\": supported values: \"Equal\", \"Exists\"\(more)"])
    }
}
