import Model

/// Where everything stands in the picture: a function of the map alone, so that the same cluster always looks the same. In the units of the
/// picture's own coordinates, of which a letter is about six wide.
package struct MapLayout: Sendable, Hashable {
    package struct Point: Sendable, Hashable {
        package var x: Int
        package var y: Int
    }

    package struct Box: Sendable, Hashable {
        package var x: Int
        package var y: Int
        package var width: Int
        package var height: Int

        package init(x: Int, y: Int, width: Int, height: Int) { (self.x, self.y, self.width, self.height) = (x, y, width, height) }

        package var right: Int { x + width }
        package var bottom: Int { y + height }
        package var middle: Point { Point(x: x + width / 2, y: y + height / 2) }

        package func overlaps(_ other: Box) -> Bool { x < other.right && other.x < right && y < other.bottom && other.y < bottom }
        package func contains(_ other: Box) -> Bool {
            x <= other.x && y <= other.y && other.right <= right && other.bottom <= bottom
        }
    }

    /// A pod, or those of one kin on a node where a node has many.
    package struct Card: Sendable, Hashable {
        /// The first pod's key.
        package var id: String
        package var pods: [ObjectKey]
        package var box: Box
        /// From the card to its node's bridge; empty for one that has the node's own network.
        package var rail: [Point]
    }

    package struct Column: Sendable, Hashable {
        package var node: String
        package var box: Box
        package var cards: [Card] = []
        /// Pods that have no place any more.
        package var leftOut = 0
        package var bridge = Box(x: 0, y: 0, width: 0, height: 0)
        /// The tunnel's end on this node; nil where there is none.
        package var tunnel: Box?
        package var uplink = Box(x: 0, y: 0, width: 0, height: 0)
    }

    package struct Front: Sendable, Hashable {
        package var service: ObjectKey
        package var box: Box
    }

    package private(set) var width = 0
    package private(set) var height = 0
    package private(set) var fronts: [Front] = []
    package private(set) var frontsLeftOut = 0
    package private(set) var columns: [Column] = []
    /// What the tunnel's ends meet in; nil without tunnels.
    package private(set) var tunnel: Box?
    package private(set) var lan = Box(x: 0, y: 0, width: 0, height: 0)
    package private(set) var outside = Box(x: 0, y: 0, width: 0, height: 0)

    /// More pods than these on one node are shown by their kin, and of these so many.
    package static let mostPods = 36, mostCards = 48
    package static let mostFronts = 24

    private static let margin = 16, gap = 20, columnWidth = 344, head = 78
    private static let cardHeight = 38, cardGap = 8, railGap = 9, perRow = 2, linkHeight = 54

    package init(_ map: ClusterMap) {
        let nodes = map.nodes
        width = max(2 * Self.margin + nodes.count * Self.columnWidth + max(0, nodes.count - 1) * Self.gap, 760)
        let top = placeFronts(map)
        let groups = nodes.map { Self.groups(map.pods(on: $0.name)) }
        let rows = max(1, groups.map { ($0.shown.count + Self.perRow - 1) / Self.perRow }.max() ?? 1)
        let hasTunnel = nodes.contains { !$0.tunnels.isEmpty }
        let grid = rows * (Self.cardHeight + Self.railGap + Self.cardGap)
        let height = Self.head + grid + 34 + 16 + Self.linkHeight + 12
        for (index, node) in nodes.enumerated() {
            let box = Box(x: Self.margin + index * (Self.columnWidth + Self.gap), y: top, width: Self.columnWidth, height: height)
            columns.append(Self.column(node, groups[index], in: box, hasTunnel: hasTunnel))
        }
        var y = top + height + 26
        if hasTunnel {
            tunnel = Box(x: Self.margin, y: y, width: width - 2 * Self.margin, height: 26)
            y += 26 + 18
        }
        lan = Box(x: Self.margin, y: y, width: width - 2 * Self.margin, height: 34)
        outside = Box(x: lan.right - 200, y: lan.bottom + 18, width: 190, height: 42)
        self.height = outside.bottom + Self.margin
    }

    /// Services in rows above the nodes; returns where what is below them begins.
    private mutating func placeFronts(_ map: ClusterMap) -> Int {
        let wide = 206, high = 46, room = width - 2 * Self.margin, perRow = max(1, (room + 12) / (wide + 12))
        let shown = map.services.prefix(Self.mostFronts)
        frontsLeftOut = map.services.count - shown.count
        fronts = shown.enumerated().map { index, service in
            let row = index / perRow, column = index % perRow
            return Front(
                service: service.key, box: Box(x: Self.margin + column * (wide + 12), y: 30 + row * (high + 10), width: wide, height: high))
        }
        return (fronts.last?.box.bottom ?? 20) + 34
    }

    /// The pods of a node as cards: each its own, or where there are many one for those of a kin.
    private static func groups(_ pods: [ClusterMap.Pod]) -> (shown: [[ClusterMap.Pod]], leftOut: Int) {
        if pods.count <= mostPods { return (pods.map { [$0] }, 0) }
        let kins = Dictionary(grouping: pods, by: \.kin).values.sorted { $0[0].key < $1[0].key }
        return (Array(kins.prefix(mostCards)), kins.dropFirst(mostCards).reduce(0) { $0 + $1.count })
    }

    private static func column(
        _ node: ClusterMap.Machine, _ groups: (shown: [[ClusterMap.Pod]], leftOut: Int), in box: Box, hasTunnel: Bool
    ) -> Column {
        var column = Column(node: node.name, box: box, leftOut: groups.leftOut)
        let trunk = box.x + 13, left = box.x + 26, room = box.width - 26 - 12
        let wide = (room - cardGap) / perRow
        let uplinkY = box.bottom - 12 - linkHeight
        column.bridge = Box(x: box.x + 8, y: uplinkY - 16 - 34, width: box.width - 16, height: 34)
        let half = (box.width - 16 - 12) / 2
        if hasTunnel { column.tunnel = Box(x: box.x + 8, y: uplinkY, width: half, height: linkHeight) }
        column.uplink = Box(x: box.x + 8 + half + 12, y: uplinkY, width: half, height: linkHeight)
        for (index, pods) in groups.shown.enumerated() {
            let row = index / perRow
            let card = Box(
                x: left + index % perRow * (wide + cardGap), y: box.y + head + row * (cardHeight + railGap + cardGap), width: wide,
                height: cardHeight)
            let rail = card.bottom + railGap
            let way = [
                Point(x: card.middle.x, y: card.bottom), Point(x: card.middle.x, y: rail), Point(x: trunk, y: rail),
                Point(x: trunk, y: column.bridge.y),
            ]
            column.cards.append(
                Card(id: "\(pods[0].key)", pods: pods.map(\.key), box: card, rail: pods[0].isHostNetwork ? [] : way))
        }
        return column
    }

    package var json: JSON {
        func place(_ box: Box) -> JSON { [.int(box.x), .int(box.y), .int(box.width), .int(box.height)] }
        return [
            "width": .int(width), "height": .int(height), "tunnel": tunnel.map(place) ?? .null, "lan": place(lan),
            "outside": place(outside),
            "services": .array(fronts.map { ["id": .string("\($0.service)"), "box": place($0.box)] }),
            "servicesLeftOut": .int(frontsLeftOut),
            "nodes": .array(
                columns.map { column in
                    [
                        "name": .string(column.node), "box": place(column.box), "bridge": place(column.bridge),
                        "tunnel": column.tunnel.map(place) ?? .null, "uplink": place(column.uplink), "leftOut": .int(column.leftOut),
                        "cards": .array(
                            column.cards.map { card in
                                [
                                    "id": .string(card.id), "pods": .array(card.pods.map { .string("\($0)") }), "box": place(card.box),
                                    "rail": .array(card.rail.map { [.int($0.x), .int($0.y)] }),
                                ]
                            }),
                    ]
                }),
        ]
    }
}
