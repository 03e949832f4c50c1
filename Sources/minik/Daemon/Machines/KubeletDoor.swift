import API
import Model

/// What a machine's root asks its kubelet for, as of systemd: `start`, `stop`, and what is the runtime's, that all pods go.
struct KubeletDoor: Responder {
    let threads = RequestThreads(count: 1)
    let kubelet: KubeletService

    func admit(_ request: HTTPRequest) async throws -> UserInfo { request.peer ?? UserInfo(name: "system:anonymous", groups: []) }

    func respond(_ request: HTTPRequest, as user: UserInfo) async -> HTTPResponse {
        guard request.method == "POST", let word = request.path.first else { return .text("Not Found", code: 404) }
        switch word {
        case "start": await kubelet.start()
        case "stop": await kubelet.stop()
        case "remove-pods":
            let problems = await kubelet.removePods()
            guard problems.isEmpty else { return .text(problems.joined(separator: "\n"), code: 500) }
        default: return .text("Not Found", code: 404)
        }
        return .text("ok")
    }
}
