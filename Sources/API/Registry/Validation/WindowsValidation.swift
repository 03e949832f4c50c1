import Model

/// What a pod says of Windows, and what of it goes with the system that it is for. (KEP-1981;
/// k8s.io/kubernetes/pkg/apis/core/validation, validateWindowsSecurityContextOptions, validateWindows and validateLinux)
struct WindowsValidation {
    private let spec: JSON
    private let path: String
    private var causes: [StatusError.Cause] = []

    static func validate(_ spec: JSON, _ path: String) -> [StatusError.Cause] {
        var validation = WindowsValidation(spec: spec, path: path)
        validation.checkOptions()
        validation.checkHostProcesses()
        switch spec["os"]["name"].string {
        case "linux": validation.checkLinux()
        case "windows": validation.checkWindows()
        default: break
        }
        return validation.causes
    }

    private init(spec: JSON, path: String) { (self.spec, self.path) = (spec, path) }

    /// Each security context, with its place.
    private var contexts: [(context: JSON, path: String)] {
        [(spec["securityContext"], "\(path).securityContext")] + containers
    }

    private var containers: [(context: JSON, path: String)] {
        ["containers", "initContainers", "ephemeralContainers"].flatMap { list in
            spec[list].items.enumerated().map { ($1["securityContext"], "\(path).\(list)[\($0)].securityContext") }
        }
    }

    private mutating func checkOptions() {
        for (context, here) in contexts where !context["windowsOptions"].isNull {
            let options = context["windowsOptions"], place = "\(here).windowsOptions"
            if let name = options["gmsaCredentialSpecName"].string {
                causes += Names.each("\(place).gmsaCredentialSpecName", name, Names.subdomainComplaints(name))
            }
            if let text = options["gmsaCredentialSpec"].string {
                let field = "\(place).gmsaCredentialSpec"
                if text.isEmpty {
                    causes.append(.invalid(field, "", "gmsaCredentialSpec cannot be an empty string"))
                } else if text.utf8.count > 64 * 1024 {
                    causes.append(.invalid(field, .string(text), "gmsaCredentialSpec size must be under 64 KiB"))
                }
            }
            if let name = options["runAsUserName"].string { checkUser(name, "\(place).runAsUserName") }
        }
    }

    /// `DOMAIN\user`, or a user alone.
    private mutating func checkUser(_ name: String, _ field: String) {
        func refuse(_ why: String) { causes.append(.invalid(field, .string(name), why)) }
        if name.isEmpty { return refuse("runAsUserName cannot be an empty string") }
        if name.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) {
            return refuse("runAsUserName cannot contain control characters")
        }
        let parts = name.split(separator: "\\", omittingEmptySubsequences: false)
        if parts.count > 2 { return refuse("runAsUserName cannot contain more than one backslash") }
        if parts.count == 2 {
            if parts[0].utf8.count >= 256 { return refuse("runAsUserName's Domain length must be under 256 characters") }
            let isName = parts[0].wholeMatch(of: /[^\\\/:\*\?"<>|.][^\\\/:\*\?"<>|]{0,14}/) != nil
            let isDomain = parts[0].wholeMatch(of: /(?:(?:(?:[a-zA-Z0-9-]{0,62}[a-zA-Z0-9])\.)*[a-zA-Z0-9][a-zA-Z0-9-]{0,62})/) != nil
            if !isName, !isDomain {
                refuse("runAsUserName's Domain doesn't match the NetBios nor the DNS format")
            }
        }
        let user = parts[parts.count - 1]
        if user.isEmpty { return refuse("runAsUserName's User cannot be empty") }
        if user.utf8.count > 104 { return refuse("runAsUserName's User length must not be longer than 104 characters") }
        if user.wholeMatch(of: /[. ]+/) != nil { refuse("runAsUserName's User cannot contain only periods or spaces") }
        if user.contains(where: { "\"/\\:;|=,+*?<>@[]".contains($0) }) {
            refuse("runAsUserName's User cannot contain the following characters: \"/\\:;|=,+*?<>@[]")
        }
    }

    /// A process of the host is on the host's network.
    private mutating func checkHostProcesses() {
        guard contexts.contains(where: { $0.context["windowsOptions"]["hostProcess"].bool == true }) else { return }
        if spec["hostNetwork"].bool != true {
            let why = "hostNetwork must be true if pod contains any hostProcess containers"
            causes.append(.invalid("\(path).hostNetwork", false, why))
        }
    }

    private mutating func checkLinux() {
        for (context, here) in contexts where !context["windowsOptions"].isNull {
            causes.append(.forbidden("\(here).windowsOptions", "windows options cannot be set for a linux pod"))
        }
    }

    private mutating func checkWindows() {
        func forbid(_ field: String) { causes.append(.forbidden(field, "cannot be set for a windows pod")) }
        for field in ["hostPID", "hostIPC"] where spec[field].bool == true { forbid("\(path).\(field)") }
        if !spec["hostUsers"].isNull { forbid("\(path).hostUsers") }
        if spec["shareProcessNamespace"].bool == true { forbid("\(path).securityContext.shareProcessNamespace") }
        let shared = ["seLinuxOptions", "seccompProfile", "appArmorProfile", "runAsUser", "runAsGroup"]
        let ofPod = shared + ["fsGroup", "fsGroupChangePolicy", "sysctls", "supplementalGroups", "supplementalGroupsPolicy"]
        let ofContainer = shared + ["capabilities", "readOnlyRootFilesystem", "privileged", "allowPrivilegeEscalation", "procMount"]
        for field in ofPod where !spec["securityContext"][field].isNull { forbid("\(path).securityContext.\(field)") }
        for (context, here) in containers { for field in ofContainer where !context[field].isNull { forbid("\(here).\(field)") } }
    }
}
