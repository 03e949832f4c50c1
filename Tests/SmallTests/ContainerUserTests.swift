import Model
import Runtime
import Testing

@Suite("Who a container runs as")
struct ContainerUserTests {
    private static let passwd =
        "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/x\n"
    private static let group = "root:x:0:\nmail:x:8:www-data,root\nwww-data:x:33:\n"

    private func user(pod: JSON = .null, container: JSON = .null) -> ContainerUser {
        ContainerUser(
            pod: Pod(["spec": ["securityContext": pod]]), container: Container(["name": "c", "securityContext": container]),
            passwd: Self.passwd,
            group: Self.group)
    }

    @Test("group and home are those of the image's passwd; an unknown user has root's group and / as home")
    func passwd() {
        let root = user(pod: ["supplementalGroupsPolicy": "Strict"])
        #expect((root.uid, root.gid, root.home) == (0, 0, "/root"))
        #expect(root.groups == [0])
        let web = user(container: ["runAsUser": 33])
        #expect((web.uid, web.gid, web.home) == (33, 33, "/var/www"))
        let unknown = user(container: ["runAsUser": 1000])
        #expect((unknown.uid, unknown.gid, unknown.home) == (1000, 0, "/"))
        #expect(unknown.groups == [0])
    }

    @Test("the primary group is among the supplementary ones, the image's memberships too unless the policy is Strict")
    func groups() {
        let all = user(pod: ["runAsUser": 1000, "runAsGroup": 3000, "fsGroup": 2000, "supplementalGroups": [4000]])
        #expect(all.gid == 3000)
        #expect(all.groups == [3000, 2000, 4000])
        #expect(user(container: ["runAsGroup": 3000]).groups.contains(3000))
        #expect(user(pod: ["supplementalGroups": [4000]], container: ["runAsUser": 33]).groups == [33, 4000, 8])
        #expect(
            user(pod: ["supplementalGroups": [4000], "supplementalGroupsPolicy": "Strict"], container: ["runAsUser": 33]).groups == [
                33, 4000,
            ])
    }

    @Test("the user of a pod's files is the one that all its containers run as")
    func commonUser() {
        func pod(_ shared: JSON, _ own: [JSON]) -> Int? {
            Pod([
                "spec": [
                    "securityContext": ["runAsUser": shared], "containers": .array(own.map { ["securityContext": ["runAsUser": $0]] }),
                ]
            ]).commonUser
        }
        #expect(pod(1000, [.null, .null]) == 1000)
        #expect(pod(1000, [.null, 5]) == nil)
        #expect(pod(.null, [7, 7]) == 7)
        #expect(pod(.null, [7, .null]) == nil)
    }

    @Test("whom the image names is looked up in its files, unless the pod says who it is")
    func ofImage() {
        func user(_ image: String, _ container: JSON = .null) -> ContainerUser {
            ContainerUser(
                pod: Pod(["spec": [:]]), container: Container(["name": "c", "securityContext": container]), passwd: Self.passwd,
                group: Self.group, image: image)
        }
        let web = user("www-data")
        #expect((web.uid, web.gid, web.home, web.problem) == (33, 33, "/var/www", nil))
        #expect(web.groups == [33, 8], "with the groups that it is a member of")
        for (text, uid, gid) in [
            ("33", 33, 33), ("1000", 1000, 0), ("1000:2000", 1000, 0), ("www-data:mail", 33, 33), ("33:nobody-here", 33, 33),
        ] {
            let found = user(text)
            #expect((found.uid, found.gid, found.problem) == (uid, gid, nil), "\(text)")
        }
        #expect(user("nobody-here").problem == "unable to find user nobody-here: no matching entries in passwd file")
        for number in ["4294967296", "4294967295", "-1", "2147483648", "4294968530"] {
            #expect(user(number).problem == "uids and gids must be in range 0-2147483647", "\(number) is nobody's, and not root's")
        }
        let pods = user("nobody-here:mail", ["runAsUser": 1000])
        #expect((pods.uid, pods.gid, pods.problem) == (1000, 0, nil), "the pod's word is the last")
    }
}

@Suite("Tokens in volumes")
struct ProjectedTokenTests {
    private static func token(issued: Int) -> [UInt8] {
        let claims: JSON = ["iat": .int(issued)]
        return Array("e30.\(Base64.encodeURL(claims.bytes())).c2ln".utf8)
    }

    @Test("audience and lifetime are those asked for; only the one that every pod gets is extended to a year")
    func life() {
        let own = ProjectedToken(["path": "vault", "audience": "vault", "expirationSeconds": 600])
        #expect(own.audiences == ["vault"])
        #expect(own.life == 600)
        #expect(ProjectedToken(["path": "t"]).life == 3600)
        #expect(ProjectedToken(["path": "token", "expirationSeconds": 3607]).life == 365 * 86400)
        #expect(ProjectedToken(["path": "token", "expirationSeconds": 3607, "audience": "x"]).life == 3607)
    }

    @Test("the next token is due after four fifths of the time asked for, after a day at the latest")
    func renewal() {
        let short = ProjectedToken(["path": "t", "expirationSeconds": 600]),
            long = ProjectedToken(["path": "t", "expirationSeconds": 1_000_000])
        let bytes = Self.token(issued: 1000)
        #expect(!short.isStale(bytes, now: Timestamp(seconds: 1479)))
        #expect(short.remaining(bytes, now: Timestamp(seconds: 1000)) == 480)
        #expect(short.isStale(bytes, now: Timestamp(seconds: 1480)))
        #expect(!long.isStale(bytes, now: Timestamp(seconds: 87_399)))
        #expect(long.isStale(bytes, now: Timestamp(seconds: 87_400)))
        #expect(short.isStale(Array("no token".utf8), now: Timestamp(seconds: 0)))
    }
}
