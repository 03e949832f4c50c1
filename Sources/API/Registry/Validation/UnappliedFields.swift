import Model

/// Fields that are taken and change nothing yet: whoever writes one is told so.
enum UnappliedFields {
    /// The warnings about a pod's spec that stands at `path`.
    static func warnings(_ spec: JSON, _ path: String) -> [String] {
        var places: [String] = []
        if spec["hostUsers"].bool == false { places.append("\(path).hostUsers") }
        func look(_ context: JSON, _ here: String) {
            for profile in ["seccompProfile", "appArmorProfile"] {
                guard let type = context[profile]["type"].string, type != "Unconfined" else { continue }
                places.append("\(here).\(profile)")
            }
        }
        look(spec["securityContext"], "\(path).securityContext")
        for list in ["initContainers", "containers", "ephemeralContainers"] {
            for (index, container) in spec[list].items.enumerated() {
                let here = "\(path).\(list)[\(index)]"
                look(container["securityContext"], "\(here).securityContext")
                for (number, mount) in container["volumeMounts"].items.enumerated()
                where !["", "None"].contains(mount["mountPropagation"].string ?? "") {
                    places.append("\(here).volumeMounts[\(number)].mountPropagation")
                }
            }
        }
        return places.map { "\($0): accepted, but minik does not apply it yet" }
    }
}
