import Model

/// What a pod's volumes are made of. (k8s.io/kubernetes/pkg/apis/core/validation, ValidateVolumes and validateVolumeSource)
struct VolumeValidation {
    private typealias Cause = StatusError.Cause
    private let path: String
    /// A template may leave to whoever fills it in which image a volume shows.
    private let isPod: Bool
    private var causes: [StatusError.Cause] = []

    /// The causes, and the names of the volumes that are as they should be.
    static func validate(_ volumes: JSON, _ path: String, isPod: Bool) -> (causes: [StatusError.Cause], names: Set<String>) {
        var causes: [Cause] = [], names: Set<String> = []
        for (index, volume) in volumes.items.enumerated() {
            let here = "\(path)[\(index)]", name = volume["name"].string ?? ""
            var validation = VolumeValidation(path: here, isPod: isPod)
            validation.source(volume)
            if name.isEmpty {
                validation.causes.append(.required("\(here).name"))
            } else {
                validation.causes += Names.each("\(here).name", name, Names.labelComplaints(name))
            }
            if names.contains(name) { validation.causes.append(.duplicate("\(here).name", .string(name))) }
            if validation.causes.isEmpty { names.insert(name) }
            causes += validation.causes
        }
        return (causes, names)
    }

    /// What one kind of source may not say, in a pod or as a persistent volume.
    static func source(_ source: JSON, _ kind: String, _ path: String) -> [StatusError.Cause] {
        var validation = VolumeValidation(path: path, isPod: true)
        validation.look(source, kind, path)
        return validation.causes
    }

    private init(path: String, isPod: Bool) { (self.path, self.isPod) = (path, isPod) }

    private mutating func source(_ volume: JSON) {
        let kinds = (volume.object?.keys ?? []).filter { $0 != "name" }
        guard let first = kinds.first else {
            causes.append(.required(path, "must specify a volume type"))
            return
        }
        let ordered = Self.kinds.filter(kinds.contains)
        for kind in ordered.dropFirst() { causes.append(.forbidden("\(path).\(kind)", "may not specify more than 1 volume type")) }
        let one = ordered.first ?? first
        look(volume[one], one, "\(path).\(one)")
    }

    /// In the order in which upstream looks for them.
    private static let kinds = [
        "emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi", "glusterfs",
        "persistentVolumeClaim", "rbd", "cinder", "cephfs", "flocker", "downwardAPI", "fc", "configMap", "azureFile", "vsphereVolume",
        "quobyte", "azureDisk", "photonPersistentDisk", "projected", "portworxVolume", "storageos", "scaleIO", "csi", "ephemeral",
        "image",
    ]

    private mutating func look(_ source: JSON, _ kind: String, _ here: String) {
        switch kind {
        case "configMap": files(source, here, name: "name")
        case "secret": files(source, here, name: "secretName")
        case "emptyDir":
            if let size = source["sizeLimit"].string.flatMap({ Quantity($0) }), size.nano < 0 {
                causes.append(.forbidden("\(here).sizeLimit", "SizeLimit field must be a valid resource quantity"))
            }
        case "hostPath":
            require(source, ["path"], here)
            if let type = source["type"].string, !Self.hostPathTypes.contains(type) {
                let known = Self.hostPathTypes.map { "\"\($0)\"" }.joined(separator: ", ")
                causes.append(.notSupported("\(here).type", source["type"], known))
            }
            if let host = source["path"].string, host.split(separator: "/").contains("..") {
                causes.append(.invalid("\(here).path", .string(host), "must not contain '..'"))
            }
        case "downwardAPI":
            mode(source["defaultMode"], "\(here).defaultMode")
            for item in source["items"].items { downward(item, here) }
        case "projected": projected(source, here)
        case "persistentVolumeClaim": require(source, ["claimName"], here)
        case "ephemeral": ephemeral(source["volumeClaimTemplate"], "\(here).volumeClaimTemplate")
        case "nfs":
            require(source, ["server", "path"], here)
            if let place = source["path"].string, !place.isEmpty, !place.hasPrefix("/") {
                causes.append(.invalid("\(here).path", .string(place), "must be an absolute path"))
            }
        case "csi": require(source, ["driver"], here)
        case "image":
            if isPod { require(source, ["reference"], here) }
        default: causes += AttachedVolumeValidation.causes(source, kind, here)
        }
    }

    private static let hostPathTypes = [
        "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
    ]

    private mutating func require(_ source: JSON, _ fields: [String], _ here: String) {
        for field in fields where (source[field].string ?? "").isEmpty { causes.append(.required("\(here).\(field)")) }
    }

    private mutating func mode(_ mode: JSON, _ here: String) {
        guard let bits = mode.int, !(0...0o777).contains(bits) else { return }
        causes.append(.invalid(here, mode, "must be a number between 0 and 0777 (octal), both inclusive"))
    }

    /// Keys of a ConfigMap or a Secret, each a file.
    private mutating func files(_ source: JSON, _ here: String, name: String) {
        require(source, [name], here)
        mode(source["defaultMode"], "\(here).defaultMode")
        for (number, item) in source["items"].items.enumerated() {
            let place = "\(here).items[\(number)]"
            require(item, ["key"], place)
            relative(item["path"], "\(place).path")
            mode(item["mode"], "\(place).mode")
        }
    }

    private mutating func relative(_ item: JSON, _ here: String) {
        let text = item.string ?? ""
        if text.isEmpty {
            causes.append(.required(here))
            return
        }
        if text.hasPrefix("/") { causes.append(.invalid(here, item, "must be a relative path")) }
        if text.split(separator: "/").contains("..") { causes.append(.invalid(here, item, "must not contain '..'")) }
        if text.hasPrefix(".."), !text.hasPrefix("../"), text != ".." {
            causes.append(.invalid(here, item, "must not start with '..'"))
        }
    }

    private static let volumeFields = ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"]

    private mutating func downward(_ item: JSON, _ here: String) {
        let path = item["path"].string ?? ""
        if path.isEmpty { causes.append(.required("\(here).path")) } else { relative(item["path"], "\(here).path") }
        let field = item["fieldRef"], resource = item["resourceFieldRef"]
        if !field.isNull {
            if !resource.isNull {
                causes.append(.invalid(here, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"))
            }
            let name = field["fieldPath"].string ?? "", place = "\(here).fieldRef.fieldPath"
            if name.isEmpty {
                causes.append(.required(place))
            } else if !Self.volumeFields.contains(name), name.wholeMatch(of: /metadata\.(labels|annotations)\['.+'\]/) == nil {
                let list = Self.volumeFields.map { "\"\($0)\"" }.joined(separator: ", ")
                causes.append(.notSupported(place, .string(name), list))
            }
        } else if resource.isNull {
            causes.append(.required(here, "one of fieldRef and resourceFieldRef is required"))
        } else {
            require(resource, ["containerName", "resource"], "\(here).resourceFieldRef")
        }
        mode(item["mode"], "\(here).mode")
    }

    private mutating func projected(_ source: JSON, _ here: String) {
        mode(source["defaultMode"], "\(here).defaultMode")
        var paths: Set<String> = []
        for (number, part) in source["sources"].items.enumerated() {
            let place = "\(here).sources[\(number)]"
            var added: [String] = []
            for kind in ["configMap", "secret"] where !part[kind].isNull {
                require(part[kind], ["name"], "\(place).\(kind)")
                for (index, item) in part[kind]["items"].items.enumerated() {
                    let spot = "\(place).\(kind).items[\(index)]"
                    require(item, ["key"], spot)
                    relative(item["path"], "\(spot).path")
                    mode(item["mode"], "\(spot).mode")
                    added.append(item["path"].string ?? "")
                }
            }
            for item in part["downwardAPI"]["items"].items {
                downward(item, "\(place).downwardAPI")
                added.append(item["path"].string ?? "")
            }
            let token = part["serviceAccountToken"]
            if !token.isNull {
                if (token["path"].string ?? "").isEmpty {
                    causes.append(.required("\(here).path"))
                } else {
                    relative(token["path"], "\(here).path")
                }
                causes += PodValidation.tokenLifetime(
                    token["expirationSeconds"].int ?? 3600, "\(place).serviceAccountToken.expirationSeconds")
                added.append(token["path"].string ?? "")
            }
            for path in added where !path.isEmpty && !paths.insert(path).inserted {
                causes.append(.invalid(here, .string(path), "conflicting duplicate paths"))
            }
        }
    }

    /// A claim that is made with the pod, and whose name is the pod's.
    private mutating func ephemeral(_ template: JSON, _ here: String) {
        guard !template.isNull else {
            causes.append(.required(here))
            return
        }
        for field in ["name", "generateName", "namespace", "resourceVersion", "selfLink", "uid", "creationTimestamp", "deletionTimestamp"]
        where !template["metadata"][field].isNull {
            causes.append(.forbidden("\(here).metadata.\(field == "uid" ? "uID" : field)", "cannot be set"))
        }
        for field in ["ownerReferences", "finalizers"] where !template["metadata"][field].items.isEmpty {
            causes.append(.forbidden("\(here).metadata.\(field)", "cannot be set"))
        }
        causes += ClaimValidation.spec(template["spec"], "\(here).spec")
    }
}
