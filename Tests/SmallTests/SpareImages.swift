import Runtime

/// Has the images that tests of other things have their pods run from.
struct SpareImages: ImageSource {
    func listings() -> [ImageListing] { [] }

    func resolve(_ reference: ImageReference) -> Image? {
        guard ["busybox", "httpd"].contains(reference.name) else { return nil }
        return Image(id: "sha256:\(reference.name)", configuration: ImageConfiguration(command: ["sh"]), layers: ["/\(reference.name)"])
    }
}
