"""The figures of the performance budget that exist by now; scripts/bench runs this."""
import os, pathlib, statistics, subprocess, sys, tempfile, time

minik, runs = sys.argv[1], int(sys.argv[2])


def run(command, **options):
    return subprocess.run(command, shell=True, check=True, capture_output=True, text=True, timeout=120, **options).stdout


def timed(command):
    start = time.monotonic()
    run(command)
    return time.monotonic() - start


# The same kernel objects as the lab's, by ip and nft: four nodes' worth of nothing but links, so a floor to compare with.
BY_HAND = """
set -e
ip netns add bh-lan; ip -n bh-lan link add lan0 up type bridge
for n in 0 1 2; do
  ip netns add bh-$n; ip -n bh-lan link add v$n up master lan0 type veth peer name eth0 netns bh-$n
  ip -n bh-$n addr add 192.168.199.$((n+10))/24 dev eth0; ip -n bh-$n link set eth0 up
  ip -n bh-$n link add flannel.1 up type vxlan id 1 dev eth0 local 192.168.199.$((n+10)) dstport 8472 nolearning
  ip -n bh-$n addr add 10.244.$n.0/32 dev flannel.1; ip -n bh-$n link add cni0 up type bridge; ip -n bh-$n addr add 10.244.$n.1/24 dev cni0
done
for p in 0 1 2 3; do
  ip netns add bh-p$p; ip -n bh-$((p%3)) link add p$p up master cni0 type veth peer name eth0 netns bh-p$p
  ip -n bh-p$p addr add 10.244.$((p%3)).$((p+2))/24 dev eth0; ip -n bh-p$p link set eth0 up; ip -n bh-p$p route add default via 10.244.$((p%3)).1
done
"""
UNDO = "for n in lan 0 1 2 p0 p1 p2 p3; do ip netns del bh-$n; done"


def resident(pattern):
    total, count = 0.0, 0
    for status in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if pattern in status.read_bytes().replace(b"\0", b" ").decode(errors="replace"):
                rollup = (status.parent / "smaps_rollup").read_text()
                total += int(next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1]) / 1024
                count += 1
        except (OSError, StopIteration):
            pass
    return total / max(count, 1), count


def answered():
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if subprocess.run("curl -s -m 1 http://192.168.200.129:33000 | grep -q 'It works'", shell=True).returncode == 0:
            return
    sys.exit("the Service does not answer")


ups, answers, downs, hands = [], [], [], []
for number in range(runs):
    hands.append(timed(BY_HAND))
    run(UNDO)
    start = time.monotonic()
    run(f"{minik} up labs/netpol.yaml")
    ups.append(time.monotonic() - start)
    answered()
    answers.append(time.monotonic() - start)
    if number == 0:
        time.sleep(1)
        daemon, _ = resident("minik serve netpol")
        shim, shims = resident("minik-shim pod")
    downs.append(timed(f"{minik} down netpol"))


def row(name, values, budget):
    middle, hand = statistics.median(values), statistics.median(hands)
    print(f"{name:52} {middle:7.3f} s   {middle / hand:5.2f} x by hand   budget {budget}")


print(f"{runs} runs, {os.cpu_count()} cores, kernel {os.uname().release}; by hand (ip, links only): {statistics.median(hands):.3f} s")
row("up labs/netpol.yaml, all pods Ready", ups, "< 1 s")
row("up, and the Service answers at the NodePort", answers, "< 1 s")
row("down", downs, "< 0.5 s")
print(f"{'daemon, that lab':52} {daemon:7.1f} MB PSS             budget < 60 MB")
print(f"{'shim, each of ' + str(shims):52} {shim:7.2f} MB PSS             budget < 1.5 MB")
