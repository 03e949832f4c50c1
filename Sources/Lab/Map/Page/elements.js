// Elements of the page and of the picture, made in one line.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined) element.append(child);
  return element;
}

export const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
export const html = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);

const ruler = document.createElement("canvas").getContext("2d");

/// A font that CSS names by the system's is another on a canvas where it has none.
const family = getComputedStyle(document.documentElement).fontFamily;

export function textWidth(text, font) {
  ruler.font = font.replace("system-ui", family);
  return ruler.measureText(text).width;
}

/// As much of a text as fits; the end of a name says more than its middle.
export function fitted(text, width, font) {
  if (textWidth(text, font) <= width) return text;
  for (let kept = text.length - 2; kept > 3; kept--) {
    const tail = Math.min(6, Math.floor(kept / 3));
    const short = text.slice(0, kept - tail) + "…" + text.slice(text.length - tail);
    if (textWidth(short, font) <= width) return short;
  }
  return text.slice(0, 2) + "…";
}

export function amount(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (bytes >= 1000 && unit < units.length - 1) { bytes /= 1000; unit++; }
  return `${unit && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)} ${units[unit]}`;
}
