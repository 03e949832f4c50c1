"""The performance budget, measured: scripts/bench runs this."""
import argparse, os, queue, signal, subprocess, sys

import bench, bench_api, bench_change, bench_dns, bench_endings, bench_images, bench_policies, bench_services

PARTS = {
    "up": bench.measure_up, "pods": bench.measure_pods, "scale": bench.measure_scale,
    "endings": bench_endings.measure_endings, "services": bench_services.measure_services,
    "policies": bench_policies.measure_policies, "changes": bench_policies.measure_changes, "throughput": bench.measure_throughput, "api": bench_api.measure_api,
    "posting": bench_change.measure_posting, "share": bench_change.measure_share, "deployment": bench_change.measure_deployment,
    "images": bench_images.measure_images,
    "dns": bench_dns.measure_dns,
}


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Prints the performance budget and what of it holds.")
    parser.add_argument("--runs", type=int, default=5, help="how often to repeat what is repeated (default: 5)")
    parser.add_argument("--coredns", metavar="PATH", help="a CoreDNS to measure the cluster's DNS beside (default: dnsmasq)")
    parser.add_argument("--seconds", type=int, default=60, help="how long Services' endpoints change while clients connect (default: 60)")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS) + " (default: all)")
    arguments = parser.parse_args()
    for part in set(arguments.parts) - set(PARTS):
        parser.error(f"no part {part!r}; there are {', '.join(PARTS)}")
    bench_dns.coredns, bench_services.duration = arguments.coredns, arguments.seconds
    if bench.STATE.exists():
        sys.exit(f"a cluster {bench.NAME} is up already: {bench.MINIK} down {bench.NAME}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"{os.cpu_count()} processors, Linux {os.uname().release}, load {os.getloadavg()[0]:.1f}, medians of {arguments.runs}")
    print(f"{'what':56} {'value':>22}   {'beside it, in the same run':32} {'ratio':>6}   budget")
    for part in arguments.parts or PARTS:
        try:
            PARTS[part](arguments.runs)
        except (RuntimeError, OSError, queue.Empty, subprocess.SubprocessError) as error:
            bench.row(part, "failed", str(error) or type(error).__name__, ok=False)


if __name__ == "__main__":
    main()
