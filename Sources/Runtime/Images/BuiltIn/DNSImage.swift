/// The cluster's DNS server: one static program.
struct DNSImage: ImageRecipe {
    let name = Image.dns, isPublished = false
    var configuration: ImageConfiguration { ImageConfiguration(entrypoint: ["/minik-dns"]) }
    var programs: [(path: String, package: String)] { [(SmallProgram.path("minik-dns"), "minik")] }

    func build(_ root: String) throws {
        try Recipe.base(root)
        try Recipe.copy(SmallProgram.path("minik-dns"), to: "/minik-dns", in: root)
    }
}
