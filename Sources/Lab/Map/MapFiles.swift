/// The page's own files, which are bytes of the program.
enum MapFiles {
    static func file(_ name: String) -> (bytes: [UInt8], type: String)? {
        switch name {
        case "": (PackageResources.map_html, "text/html; charset=utf-8")
        case "map.css": (PackageResources.map_css, "text/css; charset=utf-8")
        case "icon.svg": (PackageResources.icon_svg, "image/svg+xml")
        case "map.js": (PackageResources.map_js, script)
        case "picture.js": (PackageResources.picture_js, script)
        case "edges.js": (PackageResources.edges_js, script)
        case "flows.js": (PackageResources.flows_js, script)
        case "details.js": (PackageResources.details_js, script)
        case "matrix.js": (PackageResources.matrix_js, script)
        case "elements.js": (PackageResources.elements_js, script)
        default: nil
        }
    }

    private static let script = "text/javascript; charset=utf-8"
}
