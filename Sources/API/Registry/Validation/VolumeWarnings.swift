import Model

/// What a user should know of a pod's volumes.
enum VolumeWarnings {
    private static let removed = [
        ("cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"),
        ("flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"),
        ("gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
        ("glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
        ("photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
        ("quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"),
        ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
        ("scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
        ("storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    ]

    static func warnings(_ volumes: JSON, _ path: String) -> [String] {
        volumes.items.enumerated().flatMap { index, volume -> [String] in
            let gone = removed.filter { !volume[$0.0].isNull }.map { "\(path)[\(index)].\($0.1): \($0.2)" }
            return gone + overlaps(volume)
        }
    }

    private static func overlaps(_ volume: JSON) -> [String] {
        let name = volume["name"].string ?? ""
        func told(_ items: JSON, _ what: String) -> [String] {
            overlapping(items.items.compactMap { $0["path"].string }).map { "volume \"\(name)\" (\(what)): overlapping paths: \($0)" }
        }
        if !volume["configMap"].isNull {
            return told(volume["configMap"]["items"], "ConfigMap \"\(volume["configMap"]["name"].string ?? "")\"")
        }
        if !volume["secret"].isNull {
            return told(volume["secret"]["items"], "Secret \"\(volume["secret"]["secretName"].string ?? "")\"")
        }
        if !volume["downwardAPI"].isNull { return told(volume["downwardAPI"]["items"], "DownwardAPI") }
        return volume["projected"]["sources"].items.filter { $0.object?.isEmpty ?? true }.map { _ in
            "volume \"\(name)\" (Projected) has no sources provided"
        }
    }

    /// Paths of which one is, or lies below, another.
    private static func overlapping(_ paths: [String]) -> [String] {
        let sorted = paths.sorted()
        return zip(sorted, sorted.dropFirst()).compactMap { first, second in
            first == second || second.hasPrefix("\(first)/") ? "\"\(second)\" with \"\(first)\"" : nil
        }
    }
}
