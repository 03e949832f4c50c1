"""Agreement by area: the recorded writes beside the differences that a replay has found (scripts/oracle)."""
import collections, json, sys

VERDICT = {"status code", "reason", "causes"}


def main(recorded, found):
    areas, cases = {}, collections.Counter()
    with open(recorded) as file:
        for case in map(json.loads, file):
            if "id" in case:
                areas[case["id"]] = case["area"]
            elif "collection" in case:
                for verb in "post", "put":
                    if verb in case:
                        areas[f"{case['base']}-{verb}"] = "plain"
    differ, wrong = collections.Counter(), collections.Counter()
    cases.update(areas.values())
    with open(found) as file:
        for case in map(json.loads, file):
            differ[areas[case["id"]]] += 1
            wrong[areas[case["id"]]] += bool(VERDICT & case["differs"].keys())
    print(f"{'area of writes':28}{'cases':>7}{'exactly':>9}{'%':>7}{'verdict':>9}{'%':>7}")
    for area in [*sorted(cases), "all"]:
        total, other, bad = [sum(of.values()) if area == "all" else of[area] for of in (cases, differ, wrong)]
        print(f"{area:28}{total:7}{total - other:9}{100 * (total - other) / total:7.1f}{total - bad:9}{100 * (total - bad) / total:7.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
