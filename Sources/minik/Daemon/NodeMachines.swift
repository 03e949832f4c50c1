import API
import Model
import Runtime

extension [NodeMachine] {
    /// What the switch of one of them is asked for; what of it went wrong.
    func perform(_ verb: NodePowerAPI.Verb, on node: String) async throws -> [String] {
        guard let machine = first(where: { $0.name == node }) else { throw StatusError.notFound(.nodes, node) }
        do {
            switch verb {
            case .stop: try await machine.stop()
            case .start: return try await machine.start()
            case .restart: return try await machine.restart()
            case .pause: try await machine.pause()
            case .unpause: try await machine.unpause()
            }
            return []
        } catch let refusal as NodeMachine.Refusal { throw StatusError(409, .conflict, refusal.description) }
    }
}
