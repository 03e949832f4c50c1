import Model

/// All a shim needs to start a container: everything is resolved, nothing is looked up.
package struct ContainerSpec: Sendable, Hashable {
    package var name = ""
    /// The image's root, the overlay's private layers, and the directory it is mounted on.
    package var lower = ""
    package var upper = ""
    package var work = ""
    package var merged = ""
    package var binds: [BindMount] = []
    /// Images whose files volumes show: mounted before the binds, once a pod.
    package var images: [ImageMount] = []
    /// What its image calls volumes: directories that are made in its own layer when the image lacks them.
    package var directories: [String] = []
    package var devices: [DeviceNode] = []
    /// No device file on its layers and volumes opens: what to do where no control group limits devices.
    package var noDevices = false
    package var process = ProcessSpec()
    package var readOnlyRoot = false
    package var stdin = false
    package var stdinOnce = false
    /// The file the output goes to, in the CRI log format.
    package var logPath = ""
    /// The container whose processes this one sees; empty: its own only.
    package var target = ""

    /// Which processes a container is among, where no target says so.
    package enum Processes: String, Sendable { case own, pod, node }
    package var processes = Processes.own

    package init() {}

    package init(_ json: JSON) throws(PacketError) {
        name = try json.required("name", \.string)
        lower = try json.required("lower", \.string)
        upper = try json.required("upper", \.string)
        work = try json.required("work", \.string)
        merged = try json.required("merged", \.string)
        for bind in try json.required("binds", \.array) { binds.append(try BindMount(bind)) }
        for image in try json.required("images", \.array) { images.append(try ImageMount(image)) }
        directories = try json.list("directories", \.string)
        for device in try json.required("devices", \.array) { devices.append(try DeviceNode(device)) }
        noDevices = try json.required("noDevices", \.bool)
        process = try ProcessSpec(json["process"])
        readOnlyRoot = try json.required("readOnlyRoot", \.bool)
        stdin = try json.required("stdin", \.bool)
        stdinOnce = try json.required("stdinOnce", \.bool)
        logPath = try json.required("logPath", \.string)
        target = try json.required("target", \.string)
        guard let among = Processes(rawValue: try json.required("processes", \.string)) else {
            throw PacketError("processes is no such namespace")
        }
        processes = among
    }

    package var json: JSON {
        [
            "name": .string(name), "lower": .string(lower), "upper": .string(upper), "work": .string(work), "merged": .string(merged),
            "binds": .array(binds.map(\.json)), "devices": .array(devices.map(\.json)),
            "images": .array(images.map(\.json)), "directories": .array(directories.map(JSON.string)), "noDevices": .bool(noDevices),
            "process": process.json,
            "readOnlyRoot": .bool(readOnlyRoot), "stdin": .bool(stdin), "stdinOnce": .bool(stdinOnce), "logPath": .string(logPath),
            "target": .string(target), "processes": .string(processes.rawValue),
        ]
    }
}
