/** How systems look: the same in all plots. Koala in strong colours, others muted, floors grey and dashed. */

export interface SystemStyle {
  readonly color: string;
  /** Lengths of dashes and gaps; a full line when empty. */
  readonly dash: readonly number[];
}

type Family = "koala" | "peer" | "floor";

const floorDash: readonly number[] = [5, 4];

/** The first colours are for the names below; what is not known takes the others. */
const colors: Readonly<Record<Family, readonly string[]>> = {
  koala: ["#d1495b", "#00798c", "#6a4c93", "#e07a1f", "#2a7f3f", "#b5179e", "#0b5fa5", "#7a5c00"],
  peer: ["#71839b", "#a3845d", "#7f976f", "#a57a9c", "#5f9191", "#8f854d", "#8d7c92", "#66727f"],
  floor: ["#5c5c5c", "#858585", "#9d9d9d", "#404040"],
};

const known: Readonly<Record<string, number>> = {
  "koala-tcp": 0,
  "koala-local": 1,
  "koala-tcp-null": 2,
  "koala-grpc": 3,
  "grpc-js": 0,
  "grpc-js-envoy": 1,
  "grpc-cpp": 2,
  "grpc-cpp-envoy": 3,
  "connect-node": 4,
  "nice-grpc": 5,
  "grpc-js-haproxy": 6,
  "grpc-cpp-haproxy": 7,
  "floor-tcp": 0,
  "floor-ring-tcp": 1,
  "floor-ring-local": 2,
};

/** The looks of systems that are in one plot: no two of them have the same while there are colours left. */
export function stylesOf(systems: readonly string[]): Map<string, SystemStyle> {
  const taken = new Set(systems.filter((name) => name in known).map(colorOfKnown));
  const styles = new Map<string, SystemStyle>();
  for (const name of systems) {
    const family = familyOf(name);
    const dash = family === "floor" ? floorDash : [];
    if (name in known) {
      styles.set(name, { color: colorOfKnown(name), dash });
      continue;
    }
    const choice = colors[family];
    const first = hashOf(name) % choice.length;
    const inOrder = [...choice.slice(first), ...choice.slice(0, first)];
    const color = inOrder.find((each) => !taken.has(each)) ?? inOrder[0]!;
    taken.add(color);
    styles.set(name, { color, dash });
  }
  return styles;
}

function colorOfKnown(name: string): string {
  return colors[familyOf(name)][known[name]!]!;
}

function familyOf(name: string): Family {
  if (name.startsWith("floor")) return "floor";
  return !name.includes("koala") && /grpc|connect|envoy|haproxy|nginx/.test(name)
    ? "peer"
    : "koala";
}

function hashOf(name: string): number {
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + letter.charCodeAt(0)) >>> 0;
  return hash;
}
