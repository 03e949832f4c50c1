import Model

extension AccessRequest {
    /// What a request must be allowed to do, all of it. (k8s.io/apiserver/pkg/endpoints/request, RequestInfo)
    static func all(of request: HTTPRequest) -> [AccessRequest] {
        guard let place = Target.Place(request.path) else {
            var access = AccessRequest(verb: request.method.lowercased())
            access.path = request.rawPath
            return [access]
        }
        var access = AccessRequest(verb: Target.verb(request, place))
        access.group = place.group
        access.resource = place.plural
        access.subresource = place.subresource ?? ""
        access.name = place.name ?? ""
        access.namespace = place.namespace ?? ""
        // A namespace is in itself, as RBAC sees it.
        if place.plural == "namespaces", place.group.isEmpty { access.namespace = place.name ?? "" }
        // Who asks for all of one name asks for that.
        if ["list", "watch", "deletecollection"].contains(access.verb), let name = chosenName(request) { access.name = name }
        // A command in a pod is more than reading, by whichever method its stream is opened.
        guard access.verb != "create", ["exec", "attach", "portforward"].contains(access.subresource) else { return [access] }
        var stream = access
        stream.verb = "create"
        return [access, stream]
    }

    private static func chosenName(_ request: HTTPRequest) -> String? {
        for part in (request["fieldSelector"] ?? "").split(separator: ",") {
            for sign in ["==", "="] where part.trimmed.hasPrefix("metadata.name\(sign)") {
                let name = String(part.trimmed.dropFirst("metadata.name\(sign)".count))
                return name.isEmpty ? nil : name
            }
        }
        return nil
    }
}
