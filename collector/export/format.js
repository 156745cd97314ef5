// Numbers for people, in the units `prof top` shows.

const BYTES = [[1, "B"], [1024, "kB"], [1024 ** 2, "MB"], [1024 ** 3, "GB"], [1024 ** 4, "TB"]];
const TIMES = [[1, "ns"], [1e3, "us"], [1e6, "ms"], [1e9, "s"], [60e9, "mins"], [3600e9, "hrs"]];
const SCALES = { bytes: BYTES, nanoseconds: TIMES };

const counts = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

// 1572864, "bytes" -> "1.50MB"
export function formatValue(value, unit) {
  const scale = SCALES[unit];
  if (!scale)
    return counts.format(value);
  let best = scale[0];
  for (const step of scale)
    if (Math.abs(value) >= step[0])
      best = step;
  const number = value / best[0];
  return (Number.isInteger(number) ? number : number.toFixed(2)) + best[1];
}

export function formatChange(value, unit) {
  return (value > 0 ? "+" : "") + formatValue(value, unit);
}

export function formatShare(value, total) {
  if (!total)
    return "–";
  const text = (100 * value / Math.abs(total)).toFixed(2);
  return (text.endsWith(".00") ? text.slice(0, -3) : text) + "%";
}

// 93784 seconds -> "1d 2h"; two units are enough to compare by eye.
export function formatDuration(seconds) {
  const parts = [[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]];
  let rest = Math.max(0, Math.floor(seconds)), text = [];
  for (const [size, name] of parts) {
    const n = Math.floor(rest / size);
    rest -= n * size;
    if (n || text.length || size === 1)
      text.push(n + name);
    if (text.length === 2)
      break;
  }
  return text.join(" ");
}

export function baseName(path) {
  return path.slice(path.lastIndexOf("/") + 1);
}
