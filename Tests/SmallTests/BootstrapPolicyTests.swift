import API
import Foundation
import Model
import Testing

@Suite("the roles that every cluster has")
struct BootstrapPolicyTests {
    /// What a Kubernetes 1.36.2 has before anybody adds a role: `clusterroles/NAME`, `roles/NAMESPACE/NAME` and so on.
    private static func real() throws -> JSON {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Data/bootstrap-rbac.json")
        return try JSON(parsing: Array(Data(contentsOf: path)))
    }

    /// Rules and subjects without their order, which means nothing.
    private static func normal(_ object: JSON) -> JSON {
        var object = object
        for field in ["rules", "subjects"] where !object[field].isNull {
            object[field] = .array(object[field].items.map(\.sorted).sorted { $0.text() < $1.text() })
        }
        return object.sorted
    }

    @Test("are Kubernetes' own, rule by rule")
    func same() throws {
        let real = try Self.real()
        var seen: Set<String> = []
        for (resource, object) in BootstrapPolicy.objects {
            let metadata = object["metadata"]
            let key = ([resource.plural] + [metadata["namespace"], metadata["name"]].compactMap(\.string)).joined(separator: "/")
            seen.insert(key)
            var ours: JSON = ["labels": metadata["labels"], "annotations": metadata["annotations"]]
            for field in ["rules", "aggregationRule", "roleRef", "subjects"] where !object[field].isNull { ours[field] = object[field] }
            var theirs = real[key]
            if object["roleRef"].isNull, theirs["rules"].isNull { theirs["rules"] = [] }
            #expect(Self.normal(ours) == Self.normal(theirs), "\(key)")
        }
        #expect(seen == Set(real.object.map { $0.map(\.0) } ?? []))
    }

    @Test("can be written, all of them")
    func written() async throws {
        let api = try await Fixture.api()
        for name in ["kube-system", "kube-public"] { _ = try await api.create(.namespaces, Fixture.namespace(name)) }
        for (resource, object) in BootstrapPolicy.objects { _ = try await api.create(resource, object) }
    }

    /// Asks as a user bound to `role` in the namespace default.
    private func code(_ role: String, _ method: String, _ target: String, contentType: String = "application/json", _ body: JSON)
        async throws -> Int
    {
        let api = try await Fixture.api()
        for name in ["kube-system", "kube-public"] { _ = try await api.create(.namespaces, Fixture.namespace(name)) }
        for (resource, object) in BootstrapPolicy.objects { _ = try await api.create(resource, object) }
        _ = try await api.create(.pods, Fixture.pod("a"))
        // A subject without a namespace is of the binding's own.
        _ = try await api.create(
            .roleBindings,
            [
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": ["name": "b", "namespace": "default"],
                "roleRef": ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": .string(role)],
                "subjects": [["kind": "ServiceAccount", "name": "robot"]],
            ])
        let router = Router(api: api, nodes: ScriptedNodes(), now: { Fixture.time })
        let request = HTTPRequest(
            method: method, target: target, contentType: contentType,
            headers: [("Impersonate-User", "system:serviceaccount:default:robot")], body: body.bytes())
        guard case .json(_, let code) = await router.respond(request) else { return 0 }
        return code
    }

    private static let forged: JSON = ["status": ["podIP": "10.244.9.9", "podIPs": [["ip": "10.244.9.9"]]]]

    @Test("do not let edit or admin write a status, quotas, limits or endpoints", arguments: ["edit", "admin"])
    func edit(_ role: String) async throws {
        let base = "/api/v1/namespaces/default"
        let merge = "application/merge-patch+json"
        #expect(try await code(role, "PATCH", "\(base)/pods/a/status", contentType: merge, Self.forged) == 403)
        for kind in ["resourcequotas", "limitranges"] { #expect(try await code(role, "POST", "\(base)/\(kind)", [:]) == 403, "\(kind)") }
        #expect(try await code(role, "POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", [:]) == 403)
        #expect(try await code(role, "POST", "\(base)/pods/a/binding", [:]) == 403)
        #expect(try await code(role, "PATCH", "\(base)/pods/a", contentType: merge, ["metadata": ["labels": ["x": "y"]]]) == 200)
    }

    @Test("a status inside a write of the pod itself changes nothing")
    func forgedInside() async throws {
        let api = try await Fixture.api()
        var pod = Fixture.pod("a")
        pod["status"] = Self.forged["status"]
        let kind = try #require(Registry.kind(of: .pods))
        var options = WriteOptions()
        options.fieldManager = "test"
        #expect(try await api.create(kind, pod, options).object["status"]["podIP"].isNull)
        #expect(
            try await api.patch(kind, Fixture.key("a"), .merge(Self.forged), subresource: nil, options).object["status"]["podIP"].isNull)
    }

    @Test("who may patch but not create does not create by a server-side apply")
    func apply() async throws {
        let api = try await Fixture.api()
        let rules: JSON = [["apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch", "get"]]]
        _ = try await api.create(
            .roles,
            [
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": ["name": "p", "namespace": "default"],
                "rules": rules,
            ])
        _ = try await api.create(
            .roleBindings,
            [
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": ["name": "p", "namespace": "default"],
                "roleRef": ["apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "p"],
                "subjects": [["kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"]],
            ])
        let router = Router(api: api, nodes: ScriptedNodes(), now: { Fixture.time })
        func apply() async -> Int {
            let request = HTTPRequest(
                method: "PATCH", target: "/api/v1/namespaces/default/configmaps/c?fieldManager=t",
                contentType: "application/apply-patch+yaml",
                headers: [("Impersonate-User", "jane")], body: Fixture.configMap("c", ["a": "1"]).bytes())
            guard case .json(_, let code) = await router.respond(request) else { return 0 }
            return code
        }
        #expect(await apply() == 403)
        _ = try await api.create(.configMaps, Fixture.configMap("c"))
        #expect(await apply() == 200)
    }
}
