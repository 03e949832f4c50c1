"""Images: how long it takes to load one, to load it again and to pull it, beside gzip and tar; and pods of an image of many layers."""
import contextlib, gzip, hashlib, io, json, os, pathlib, random, shutil, socket, statistics, subprocess, tarfile, time

from bench_change import FORGOTTEN
from bench import MINIK, NAME, STATE, WORK, cluster, cluster_document, create_pods, pod, row, run, seconds, timed, until, write

STORE = pathlib.Path("/var/lib/minik/images")
LARGE, OTHER, DEEP = "bench.example/large:1", "bench.example/other:1", "bench.example/deep:1"
LAYERS, LAYER_SIZE, DEPTH, PODS = 8, 62_500_000, 30, 50


def content(source, size):
    """Bytes that gzip makes about four tenths of, as it does of most images."""
    words = [source.randbytes(12).hex().encode() for _ in range(400)]
    out = bytearray()
    while len(out) < size:
        out += source.randbytes(64) + b" ".join(source.choices(words, k=12))
    return bytes(out[:size])


def layer(number):
    """A tar of files of many sizes, in directories of a hundred."""
    source, out, used = random.Random(number), io.BytesIO(), 0
    pool = content(source, 4_000_000)
    with tarfile.open(fileobj=out, mode="w") as tar:
        for index in range(1_000_000):
            if used >= LAYER_SIZE:
                break
            size = min(int(source.lognormvariate(9.5, 1.5)), 3_000_000)
            start = source.randrange(len(pool) - size)
            entry = tarfile.TarInfo(f"usr/share/l{number}/{index // 100}/{index}")
            entry.size = size
            tar.addfile(entry, io.BytesIO(pool[start:start + size]))
            used += size
    return out.getvalue()


class Layout:
    """An OCI image layout below WORK."""

    def __init__(self, name):
        self.path = WORK / name
        (self.path / "blobs/sha256").mkdir(parents=True)

    def put(self, data, kind):
        digest = hashlib.sha256(data).hexdigest()
        (self.path / "blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    def finish(self, name, layers, tars, config):
        diffs = [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in tars]
        machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
        description = {"os": "linux", "architecture": machine, "config": config, "rootfs": {"type": "layers", "diff_ids": diffs}}
        manifest = {"schemaVersion": 2, "config": self.put(json.dumps(description).encode(), "config.v1+json"), "layers": layers}
        entry = self.put(json.dumps(manifest).encode(), "manifest.v1+json") | {"annotations": {"org.opencontainers.image.ref.name": name}}
        (self.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
        (self.path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        run(f"tar -C {self.path} -cf {self.path}.tar .")
        return pathlib.Path(f"{self.path}.tar")


def large_image(name, seed):
    """The archive, and the files of its layers, the lowest first."""
    layout, layers, tars = Layout(f"large{seed}"), [], []
    for number in range(LAYERS):
        tars.append(layer(seed * LAYERS + number))
        layers.append(layout.put(gzip.compress(tars[-1], 6), "layer.v1.tar+gzip"))
    archive = layout.finish(name, layers, tars, {})
    return archive, [layout.path / "blobs/sha256" / layer["digest"].removeprefix("sha256:") for layer in layers]


def deep_image():
    """busybox below twenty-nine layers of a file each."""
    layout, tars = Layout("deep"), []
    for number in range(DEPTH):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            if number == 0:
                tar.add("/bin/busybox", "bin/busybox")
                for name in ["sh", "sleep"]:
                    link = tarfile.TarInfo(f"bin/{name}")
                    link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                    tar.addfile(link)
            else:
                entry = tarfile.TarInfo(f"opt/{number}")
                entry.size = 1000
                tar.addfile(entry, io.BytesIO(bytes(1000)))
        tars.append(out.getvalue())
    layers = [layout.put(tar, "layer.v1.tar") for tar in tars]
    return layout.finish(DEEP, layers, tars, {"Env": ["PATH=/bin"]})


@contextlib.contextmanager
def registry():
    """Debian's docker-registry on the loopback: its host."""
    program = shutil.which("docker-registry") or str(pathlib.Path(__file__).parent.parent / ".build/clients/docker-registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    config = WORK / "registry.yml"
    config.write_text(f'version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {WORK}/registry}}}}\nhttp: {{addr: "{host}"}}\n')
    process = subprocess.Popen([program, "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: subprocess.run(["curl", "-s", "-o", "/dev/null", f"http://{host}/v2/"]).returncode == 0, 10, "the registry does not answer")
        yield host
    finally:
        process.kill()
        process.wait()


def forget(*names):
    for name in names:
        subprocess.run([MINIK, "image", "rm", name], capture_output=True)
    run(f"{MINIK} image prune")


def by_hand(layers, target):
    """gzip and tar, a layer after the other, on the store's disk."""
    target.mkdir(parents=True)
    run("sync")
    return timed(" && ".join(f"mkdir {target}/{n} && gzip -dc {file} | tar -x -C {target}/{n}" for n, file in enumerate(layers)))


def load(archive):
    run("sync")
    return timed(f"{MINIK} image load {archive}")


def measure_loads(runs):
    """Nothing is removed while something is measured: see FORGOTTEN. So what is pulled is another image of the same size."""
    (archive, layers), (other, _) = large_image(LARGE, 0), large_image(OTHER, 1)
    hands, loads, agains, pulls, target = [], [], [], [], STORE.parent / f"bench-{os.getpid()}"
    with registry() as host:
        pulled = f"{host}/other:1"
        run(f"skopeo --insecure-policy copy -q --dest-tls-verify=false oci-archive:{other} docker://{pulled}", timeout=300)
        for turn in range(runs):
            if turn:
                time.sleep(FORGOTTEN)
            try:
                steps = [lambda: hands.append(by_hand(layers, target)), lambda: loads.append(load(archive))]
                for step in steps if turn % 2 else steps[::-1]:
                    step()
                agains.append(load(archive))
                run("sync")
                pulls.append(timed(f"{MINIK} image pull -q {pulled}"))
            finally:
                forget(LARGE, pulled)
                shutil.rmtree(target, ignore_errors=True)
    hand, first, again, pull = map(statistics.median, (hands, loads, agains, pulls))
    row("load an image of 8 layers, 500 MB, gzip", seconds(first), f"gzip -dc | tar -x: {seconds(hand)}", first / hand, "<= 0.8 x", first / hand <= 0.8)
    row("load it again", seconds(again), "", None, "< 0.1 s", again < 0.1)
    row("pull one like it from a registry on the loopback", seconds(pull), f"load: {seconds(first)}", pull / first, "<= 1.2 x", pull / first <= 1.2)


def image_pods(image, kind):
    documents = [pod(f"{kind}{number}", app="bench") for number in range(PODS)]
    for document in documents:
        document["spec"]["containers"][0] |= {"image": image, "imagePullPolicy": "IfNotPresent"}
    return write(f"{kind}.yaml", documents)


def copied():
    """Files in the containers' own layers."""
    return sum(1 for path in STATE.glob("pods/*/containers/*/*/upper/**/*") if path.is_file() and not path.is_symlink())


def measure_deep_pods(runs):
    run(f"{MINIK} image load {deep_image()}")
    deep, flat, files = [], [], 0
    try:
        with cluster(write("images.yaml", [cluster_document(2)])):
            others = len(list((STATE / "pods").glob("*")))
            kinds = [(image_pods("busybox", "flat"), flat), (image_pods(DEEP, "deep"), deep)]
            for turn in range(runs + 1):
                for path, times in kinds if turn % 2 else kinds[::-1]:
                    took = create_pods(path, PODS)
                    files = max(files, copied())
                    if turn:  # the first of each finds nothing in the caches
                        times.append(took)
                    run(f"{MINIK} delete -c {NAME} -f {path}")
                    until(lambda: len(list((STATE / "pods").glob("*"))) <= others, 60, "the pods do not go")
    finally:
        forget(DEEP)
    many, few = statistics.median(deep), statistics.median(flat)
    row(f"{PODS} pods of an image of {DEPTH} layers, all running", seconds(many), f"of busybox: {seconds(few)}", many / few, "<= 1.1 x", many / few <= 1.1)
    row("files that their containers copied", str(files), "", None, "0", files == 0)


def measure_images(runs):
    measure_loads(runs)
    measure_deep_pods(runs)
